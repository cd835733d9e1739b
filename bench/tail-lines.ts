/** Access log lines as a shop's nginx writes them: the same number always gives the same line. */

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
];
const PATHS = ['products', 'cart', 'search', 'static/js', 'api/v1/orders'];
const CODES = [200, 200, 200, 200, 200, 304, 301, 404, 500];
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** `count` lines from number `first` on, about 2,000 per second of log time from `start` on. */
export function accessLines(first: number, count: number, start: number): string {
  let text = '';
  let second = -1;
  let time = '';
  for (let i = first; i < first + count; i++) {
    const now = Math.floor(start / 1000) + Math.floor(i / 2000);
    if (now !== second) {
      second = now;
      time = clf(new Date(now * 1000));
    }
    // A multiplicative hash instead of randomness (Knuth).
    const h = Math.imul(i + 1, 0x9e3779b1) >>> 0;
    const ip = `${10 + (h & 127)}.${(h >>> 7) & 255}.${(h >>> 15) & 255}.${h >>> 24}`;
    const path = `/${PATHS[h % PATHS.length]}/${h % 99_991}?ref=mail&session=${(h ^ (h >>> 3)).toString(16)}`;
    const referer = h % 3 === 0 ? '-' : `https://www.example.com/category/${h % 307}?page=${h % 17}`;
    text += `${ip} - - [${time}] "${h % 19 === 0 ? 'POST' : 'GET'} ${path} HTTP/1.1" ${CODES[h % CODES.length]} ${h % 48_611} "${referer}" "${AGENTS[(h >>> 5) % AGENTS.length]}"\n`;
  }
  return text;
}

function clf(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}
