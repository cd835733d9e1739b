/** What all parts of the page are made of: panels, marks of a level, empty states. */
import type { ComponentChildren } from 'preact';
import type { Level } from '../api.ts';

const WORDS: Readonly<Record<Level, string>> = {
  good: 'good',
  note: 'worth a look',
  bad: 'needs attention',
  unknown: 'not known',
};

/** Levels differ by shape as well as by colour. */
export function Mark({ level }: { level: Level }) {
  const shape = {
    good: <circle cx="6" cy="6" r="5" />,
    note: <path d="M6 1 11.5 11h-11z" />,
    bad: <rect x="1" y="1" width="10" height="10" rx="1" />,
    unknown: <circle cx="6" cy="6" r="4" class="hollow" />,
  }[level];
  return (
    <svg class={`mark ${level}`} viewBox="0 0 12 12" role="img" aria-label={WORDS[level]}>
      {shape}
    </svg>
  );
}

interface PanelProps {
  readonly id: string;
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Panel({ id, title, aside, children }: PanelProps) {
  return (
    <section id={id} class="panel" aria-labelledby={`${id}-title`} tabIndex={-1}>
      <header>
        <h2 id={`${id}-title`}>{title}</h2>
        {aside ? <p class="aside">{aside}</p> : null}
      </header>
      {children}
    </section>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
