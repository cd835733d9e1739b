/** The events of the forward benchmarks: ten fields of an access log, the same on every run. */

const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1',
  'curl/8.11.0',
];

/** A small generator of repeatable noise (G. Marsaglia, "Xorshift RNGs"). */
let noise = 2463534242;
function random(below: number): number {
  noise ^= noise << 13;
  noise ^= noise >>> 17;
  noise ^= noise << 5;
  return (noise >>> 0) % below;
}

export function record(n: number): Record<string, string | number> {
  return {
    request_id: `${n.toString(16).padStart(8, '0')}${random(2 ** 31).toString(16)}`,
    remote_addr: `10.${random(256)}.${random(256)}.${random(256)}`,
    method: random(10) === 0 ? 'POST' : 'GET',
    path: `/shop/category/${random(50)}/item/${random(100000)}`,
    protocol: 'HTTP/1.1',
    status: random(20) === 0 ? 404 : 200,
    bytes: random(60000),
    referer: `https://www.example.com/shop/category/${random(50)}`,
    user_agent: AGENTS[random(3)]!,
    request_time: random(2000) / 1000,
  };
}
