/** What the server sends while the page is visible; a hidden page asks for nothing. */
import { useEffect, useState } from 'preact/hooks';
import type { Now, Past } from '../api.ts';

export type Connection = 'connecting' | 'live' | 'paused' | 'lost';

export interface Live {
  readonly now: Now | null;
  readonly past: Past | null;
  readonly connection: Connection;
}

export function useLive(): Live {
  const [now, setNow] = useState<Now | null>(null);
  const [past, setPast] = useState<Past | null>(null);
  const [connection, setConnection] = useState<Connection>('connecting');
  useEffect(() => {
    let source: EventSource | null = null;
    const close = (): void => {
      source?.close();
      source = null;
    };
    const open = (): void => {
      close();
      const opened = new EventSource('/api/live');
      source = opened;
      opened.addEventListener('open', () => setConnection('live'));
      // The browser connects once more by itself.
      opened.addEventListener('error', () => setConnection('lost'));
      opened.addEventListener('now', ({ data }) => setNow(JSON.parse(data)));
      opened.addEventListener('past', ({ data }) => setPast(JSON.parse(data)));
    };
    const onVisibility = (): void => {
      if (document.hidden) {
        close();
        setConnection('paused');
      } else {
        setConnection('connecting');
        open();
      }
    };
    if (!document.hidden) open();
    document.addEventListener('visibilitychange', onVisibility);
    return () => {
      document.removeEventListener('visibilitychange', onVisibility);
      close();
    };
  }, []);
  return { now, past, connection };
}
