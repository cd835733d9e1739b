/** The three sentences at the top: well, all there, behind. */
import type { Story, Verdict } from '../api.ts';
import { Mark } from './parts.tsx';

export function StoryStrip({ story }: { story: Story }) {
  return (
    <section class="story" aria-label="In one glance">
      <Card question="Is everything well?" verdict={story.well} />
      <Card question="Is it all there?" verdict={story.complete} />
      <Card question="What is behind?" verdict={story.behind} />
    </section>
  );
}

function Card({ question, verdict }: { question: string; verdict: Verdict }) {
  return (
    <div class={`card ${verdict.level}`}>
      <h2>{question}</h2>
      <p class="answer">
        <Mark level={verdict.level} />
        <span>{verdict.text}</span>
      </p>
      {verdict.details.length > 0 ? (
        <ul>
          {verdict.details.map((detail) => (
            <li key={detail}>{detail}</li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
