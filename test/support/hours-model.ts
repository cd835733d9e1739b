/**
 * A model of agents whose events reach an archive, to try {@link judgeHours} on: what it knows of each event decides
 * whether an hour that is called closed lacks one that it must have.
 *
 * Times are milliseconds; an hour is an hour, and a run has a few of them.
 */
import type { Commit, Watermark } from '../../archive/commit.ts';
import type { Facts } from '../../archive/hours/facts.ts';
import type { HourReport, HoursPolicy } from '../../archive/hours/judge.ts';
import { Runs } from '../../archive/runs.ts';
import { digest32 } from './chunks.ts';
import { generator } from './random.ts';

export interface HoursCode {
  readonly Facts: new () => Facts;
  readonly judgeHours: (facts: Facts, policy: HoursPolicy, hours: readonly [number, number]) => HourReport[];
}

const HOUR = 3_600_000;
const MINUTE = 60_000;
const FIRST_HOUR = 494_000;
const HOURS = 4;
const SHARDS = 2;
const POLICY = { lateness: 10 * MINUTE, returnWithin: 15 * MINUTE, silentAfter: 2 * HOUR };

/** How often a run has what: chances from 0 to 1. */
export interface HoursProfile {
  /** That a machine boots with a clock that is wrong. */
  readonly wrongClock: number;
  /** Of an agent that it begins somewhere in the run's hours, and not before them. */
  readonly begins: number;
  /** Of a step in which an agent stops, and of one in which it crashes. */
  readonly stop: number;
  readonly crash: number;
  /** That a chunk takes up to 40 minutes instead of one. */
  readonly slow: number;
  /** Of a run that some of its chunks never arrive. */
  readonly lossy: number;
}

const USUAL: HoursProfile = { wrongClock: 0.2, begins: 0.3, stop: 0.02, crash: 0.005, slow: 0.2, lossy: 0.3 };

/**
 * What a search tries: the usual, and more of some things than any fleet has. What docs/decisions/closed-hours.md
 * excepts may turn up too: a new agent whose clock was ahead by a quarter of an hour or more, which its first chunk
 * took to arrive.
 */
export const HOURS_PROFILES = {
  usual: USUAL,
  clocks: { ...USUAL, wrongClock: 0.8 },
  restarts: { ...USUAL, stop: 0.06, crash: 0.06, slow: 0.5 },
  slow: { ...USUAL, slow: 0.7 },
  births: { wrongClock: 0.7, begins: 1, stop: 0.08, crash: 0.08, slow: 0.6, lossy: 0.3 },
} satisfies Readonly<Record<string, HoursProfile>>;

interface ModelEvent {
  readonly time: number;
  /** When it was at its agent. */
  readonly reached: number;
  chunk: ModelChunk | null;
}

interface ModelChunk {
  readonly lane: string;
  readonly sequence: number;
  readonly ordinal: number;
  readonly epoch: string;
  readonly producer: string;
  readonly previous: { readonly epoch: string; readonly ordinal: number } | null;
  readonly hour: number | null;
  readonly events: readonly ModelEvent[];
  readonly watermark: Watermark | null;
  readonly shard: number;
  archived: boolean;
}

interface Agent {
  readonly producer: string;
  readonly events: ModelEvent[];
  /** Read, and not in a chunk yet. */
  readonly held: ModelEvent[];
  epoch: string | null;
  /** What the name of the newest epoch with a chunk says of its beginning: epochs without one are not remembered. */
  named: number;
  startedAt: number;
  lanes: { readonly name: string; readonly shard: number; sequence: number; unmarked: boolean }[];
  ordinal: number;
  previous: ModelChunk['previous'];
  nextWatermark: number;
  /** It reads nothing before this time. */
  stuckUntil: number;
  startsAt: number;
  dead: boolean;
  /** When the first of its epochs with a chunk began: the archive knows of no earlier one. */
  began: number;
}

export interface HoursRun {
  /** Hours that were called closed and lacked an event: the faults. */
  readonly faults: readonly string[];
  readonly closed: number;
  readonly reopened: number;
  /** What waits for hours at the end, when all is archived and every agent runs. */
  readonly openAtEnd: readonly HourReport[];
  readonly late: number;
}

/** One run; everything follows from the seed. */
export function runHours(code: HoursCode, seed: number, profile: HoursProfile = USUAL): HoursRun {
  return new Model(code, seed, profile).run();
}

class Model {
  readonly #code: HoursCode;
  readonly #profile: HoursProfile;
  readonly #random: () => number;
  readonly #agents: Agent[];
  readonly #onTheWay: { chunk: ModelChunk; arrives: number }[] = [];
  /** Of each shard what has arrived and is not in a commit. */
  readonly #arrived: { chunk: ModelChunk; arrived: number }[][] = Array.from({ length: SHARDS }, () => []);
  readonly #facts: Facts;
  /** Of each producer the newest epoch that the archive knows of. */
  readonly #known = new Map<string, string>();
  /** When epochs were stopped cleanly. */
  readonly #stopped = new Map<string, number>();
  readonly #faults: string[] = [];
  #closed = 0;
  #reopened = 0;
  #lanes = 0;
  #lossy: boolean;

  constructor(code: HoursCode, seed: number, profile: HoursProfile) {
    this.#code = code;
    this.#profile = profile;
    this.#random = generator(seed);
    this.#facts = new code.Facts();
    this.#lossy = this.#random() < profile.lossy;
    const count = 1 + this.#below(3);
    this.#agents = Array.from({ length: count }, (_, i) => this.#agent(`${seed}/${i}`));
  }

  run(): HoursRun {
    const begin = FIRST_HOUR * HOUR;
    const end = begin + HOURS * HOUR;
    let now = begin;
    for (; now < end; now += MINUTE * (1 + this.#below(3))) {
      this.#now = now;
      for (const agent of this.#agents) this.#step(agent, now);
      this.#deliver(now);
      for (let shard = 0; shard < SHARDS; shard++) if (this.#random() < 0.3) this.#commit(shard);
      this.#judge(now);
    }
    // All comes to rest: agents run, nothing is on its way.
    for (const agent of this.#agents) {
      agent.stuckUntil = 0;
      if (agent.epoch === null && !agent.dead) this.#start(agent, now);
    }
    for (let i = 0; i < 30; i++, now += MINUTE) {
      this.#now = now;
      for (const agent of this.#agents) if (agent.epoch !== null) this.#work(agent, now, true);
      this.#deliver(now, true);
      for (let shard = 0; shard < SHARDS; shard++) this.#commit(shard);
    }
    const reports = this.#judge(now);
    return {
      faults: this.#faults,
      closed: this.#closed,
      reopened: this.#reopened,
      openAtEnd:
        this.#lossy || this.#agents.some(({ dead }) => dead)
          ? []
          : reports.filter(({ hour, state }) => state === 'open' && hour < FIRST_HOUR + HOURS),
      late: reports.reduce((sum, { late }) => sum + late.chunks, 0),
    };
  }

  #agent(name: string): Agent {
    const begin = FIRST_HOUR * HOUR;
    const startsAt = begin + (this.#random() >= this.#profile.begins ? 0 : this.#below(HOURS * HOUR));
    const events: ModelEvent[] = [];
    for (let i = this.#below(80); i > 0; i--) {
      const time = begin + Math.floor(this.#random() * HOURS * HOUR);
      // Most are there at once; some are late by minutes, some by hours.
      const kind = this.#random();
      const delay = kind < 0.3 ? 0 : kind < 0.95 ? this.#below(9 * MINUTE) : this.#below(2 * HOUR);
      // What was there before the first start reaches its agent then.
      events.push({ time, reached: Math.max(startsAt, time + delay), chunk: null });
    }
    return {
      producer: digest32(`producer ${name}`),
      events,
      held: [],
      epoch: null,
      named: -1,
      startedAt: 0,
      lanes: [],
      ordinal: 0,
      previous: null,
      nextWatermark: 0,
      stuckUntil: 0,
      startsAt,
      dead: false,
      began: Number.POSITIVE_INFINITY,
    };
  }

  #step(agent: Agent, now: number): void {
    if (agent.dead || now < agent.startsAt) return;
    if (agent.epoch === null) {
      this.#start(agent, now);
      return;
    }
    const { stop, crash } = this.#profile;
    const what = this.#random();
    const [stuck, stopped, crashed] = [0.01, 0.01 + stop, 0.01 + stop + crash];
    if (what < stuck) agent.stuckUntil = now + this.#below(40 * MINUTE);
    else if (what < stopped) this.#stop(agent, now);
    else if (what < crashed) this.#crash(agent, now);
    else if (what < crashed + 0.025 && agent.lanes.length < 4) agent.lanes.push(this.#lane());
    else if (what < crashed + 0.045 && agent.lanes.length > 1) agent.lanes.shift();
    else this.#work(agent, now, false);
  }

  #start(agent: Agent, now: number): void {
    const time = Math.max(this.#clock(now), agent.named + 1);
    agent.startedAt = now;
    agent.epoch = time.toString(16).padStart(12, '0') + this.#below(65_536).toString(16).padStart(4, '0');
    agent.lanes = [this.#lane()];
    agent.ordinal = 0;
    agent.nextWatermark = now + 5 * MINUTE;
  }

  /** What a machine takes for the time when it boots: some have to be corrected first. */
  #clock(now: number): number {
    if (this.#random() >= this.#profile.wrongClock) return now;
    const kind = this.#random();
    if (kind < 0.34) return this.#below(HOUR);
    const off = this.#below(this.#random() < 0.3 ? 30 * MINUTE : 4 * HOUR);
    return kind < 0.67 ? now - off : now + off;
  }

  #stop(agent: Agent, now: number): void {
    if (now < agent.stuckUntil) return;
    this.#read(agent, now);
    this.#seal(agent);
    if (agent.ordinal > 0) this.#send(agent, agent.lanes[0]!, null, [], [0, 0, now, now, 1]);
    this.#stopped.set(agent.epoch!, now);
    agent.startsAt = now + this.#below(this.#random() < 0.7 ? 10 * MINUTE : 90 * MINUTE);
    this.#end(agent);
  }

  #crash(agent: Agent, now: number): void {
    // What was read and not sealed is read once more.
    for (const event of agent.held.splice(0)) event.chunk = null;
    agent.startsAt = now + this.#below(20 * MINUTE);
    agent.dead = this.#random() < 0.1;
    this.#end(agent);
  }

  #end(agent: Agent): void {
    if (agent.ordinal > 0) agent.previous = { epoch: agent.epoch!, ordinal: agent.ordinal };
    agent.epoch = null;
  }

  #lane(): Agent['lanes'][number] {
    return {
      name: digest32(`lane ${this.#lanes++}`),
      shard: this.#below(SHARDS),
      sequence: 0,
      unmarked: false,
    };
  }

  #work(agent: Agent, now: number, calm: boolean): void {
    if (now >= agent.stuckUntil) this.#read(agent, now);
    if (calm || this.#random() < 0.6) this.#seal(agent);
    if (now < agent.nextWatermark) return;
    agent.nextWatermark = now + 5 * MINUTE;
    this.#seal(agent);
    const unread = agent.events.filter(({ chunk, reached }) => chunk === null && reached <= now);
    const until = unread.length === 0 ? now : Math.min(...unread.map(({ reached }) => reached)) - 1;
    // Lanes that the agent has left are marked once more, as their last chunks are.
    const marked = [...this.#left(agent), ...agent.lanes.filter(({ unmarked }) => unmarked)];
    for (const lane of marked.length > 0 ? marked : [agent.lanes[0]!])
      this.#send(agent, lane, null, [], [0, 0, until, now, 0]);
  }

  readonly #used = new Map<string, Agent['lanes'][number]>();

  #left(agent: Agent): Agent['lanes'] {
    const active = new Set(agent.lanes.map(({ name }) => name));
    return [...this.#used.entries()]
      .filter(
        ([key, lane]) =>
          key.startsWith(`${agent.producer}/${agent.epoch}/`) && lane.unmarked && !active.has(lane.name),
      )
      .map(([, lane]) => lane);
  }

  #read(agent: Agent, now: number): void {
    for (const event of agent.events)
      if (event.chunk === null && event.reached <= now && !agent.held.includes(event)) agent.held.push(event);
  }

  #seal(agent: Agent): void {
    const hours = new Map<number, ModelEvent[]>();
    for (const event of agent.held.splice(0)) {
      const hour = Math.floor(event.time / HOUR);
      hours.set(hour, [...(hours.get(hour) ?? []), event]);
    }
    for (const [hour, events] of hours) {
      const lane = agent.lanes[this.#below(agent.lanes.length)]!;
      this.#send(agent, lane, hour, events, null);
    }
  }

  #send(
    agent: Agent,
    lane: Agent['lanes'][number],
    hour: number | null,
    events: readonly ModelEvent[],
    mark: Watermark | null,
  ): void {
    const sequence = ++lane.sequence;
    const ordinal = ++agent.ordinal;
    agent.began = Math.min(agent.began, agent.startedAt);
    agent.named = Number.parseInt(agent.epoch!.slice(0, 12), 16);
    lane.unmarked = mark === null;
    this.#used.set(`${agent.producer}/${agent.epoch}/${lane.name}`, lane);
    const chunk: ModelChunk = {
      lane: lane.name,
      sequence,
      ordinal,
      epoch: agent.epoch!,
      producer: agent.producer,
      previous: ordinal === 1 ? agent.previous : null,
      hour,
      events,
      watermark: mark && [sequence, ordinal, mark[2], mark[3], mark[4]],
      shard: lane.shard,
      archived: false,
    };
    for (const event of events) event.chunk = chunk;
    if (this.#lossy && this.#random() < 0.05) return;
    const isSlow = this.#random() < this.#profile.slow;
    const delay = this.#below(isSlow ? 40 * MINUTE : MINUTE);
    this.#onTheWay.push({ chunk, arrives: this.#now + delay });
  }

  #now = 0;

  /** @param all whether nothing stays on its way */
  #deliver(now: number, all = false): void {
    for (let i = this.#onTheWay.length - 1; i >= 0; i--) {
      const { chunk, arrives } = this.#onTheWay[i]!;
      if (arrives > now && !all) continue;
      this.#onTheWay.splice(i, 1);
      this.#arrived[chunk.shard]!.push({ chunk, arrived: Math.min(arrives, now) });
    }
  }

  #commit(shard: number): void {
    const batch = this.#arrived[shard]!.splice(0);
    if (batch.length === 0) return;
    const runs = new Map<number | null, Map<string, Runs>>();
    const lanes: Record<string, [string, string]> = {};
    const watermarks: Record<string, Watermark[]> = {};
    const producers = new Map<
      string,
      { producer: string; epoch: string; previous: ModelChunk['previous'] }
    >();
    for (const { chunk } of batch) {
      chunk.archived = true;
      const known = this.#known.get(chunk.producer);
      if (known === undefined || known < chunk.epoch) this.#known.set(chunk.producer, chunk.epoch);
      lanes[chunk.lane] = [chunk.producer, chunk.epoch];
      const byLane = runs.get(chunk.hour) ?? new Map<string, Runs>();
      runs.set(chunk.hour, byLane);
      const own = byLane.get(chunk.lane) ?? new Runs();
      byLane.set(chunk.lane, own);
      own.add(chunk.sequence);
      if (chunk.watermark) watermarks[chunk.lane] = [...(watermarks[chunk.lane] ?? []), chunk.watermark];
      const key = `${chunk.producer}/${chunk.epoch}`;
      const previous = producers.get(key)?.previous ?? chunk.previous;
      producers.set(key, { producer: chunk.producer, epoch: chunk.epoch, previous });
    }
    const text = (byLane: ReadonlyMap<string, Runs> | undefined): Record<string, string> =>
      Object.fromEntries([...(byLane ?? [])].map(([lane, own]) => [lane, own.toString()]));
    const commit = {
      arrival: [batch[0]!.arrived, Math.max(...batch.map(({ arrived }) => arrived))],
      objects: [...runs].flatMap(([hour, byLane]) =>
        hour === null ? [] : [{ key: '', tag: 't', hour, events: 1, bytes: 1, runs: text(byLane) }],
      ),
      empty: text(runs.get(null)),
      lanes,
      watermarks,
      producers: [...producers.values()],
    };
    this.#facts.add(commit as unknown as Commit, new Set());
  }

  /** Judges all hours and looks for what a closed one lacks. */
  #judge(now: number): HourReport[] {
    const policy = { ...POLICY, now, isGone: () => false };
    const reports = this.#code.judgeHours(this.#facts, policy, [FIRST_HOUR, FIRST_HOUR + HOURS]);
    for (const { hour, state, without } of reports) {
      if (state === 'reopened') this.#reopened++;
      if (state !== 'closed') continue;
      this.#closed++;
      const inTime = (hour + 1) * HOUR + POLICY.lateness;
      if (now < inTime) this.#faults.push(`at ${now}: hour ${hour} is closed before its time`);
      for (const agent of this.#agents) {
        const known = this.#known.get(agent.producer);
        if (known === undefined || without.includes(agent.producer) || agent.began >= inTime) continue;
        // One that stopped, and of whose return the archive does not know, promises what was there when it stopped.
        const stop = this.#stopped.get(known) ?? Number.POSITIVE_INFINITY;
        const stopped = stop <= now - POLICY.returnWithin ? stop : Number.POSITIVE_INFINITY;
        const lacking = agent.events.find(
          ({ time, reached, chunk }) =>
            Math.floor(time / HOUR) === hour &&
            reached <= Math.min(inTime, stopped, now) &&
            !(chunk?.archived ?? false),
        );
        if (lacking)
          this.#faults.push(
            `at ${now}: hour ${hour} is closed without an event of ${lacking.time} that came ${lacking.reached}`,
          );
      }
    }
    return reports;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}
