// The type of the worker's instance where none is set: one whose memory the shards fit in, 64 in 4 GiB (consumer/kcl/memory.ts),
// of the architecture of the image. With more than 512 shards add workers: docs/deploy.md.
const SIZES = [
  [64, 'medium'],
  [128, 'large'],
  [256, 'xlarge'],
  [512, '2xlarge'],
];

module.exports = async ({ resolveVariable }) => {
  const shards = Number(await resolveVariable('param:maxShards'));
  const image = String(await resolveVariable('param:imageParameter'));
  const [, size] = SIZES.find(([most]) => shards <= most) ?? SIZES.at(-1);
  return `${image.includes('x86_64') ? 't3' : 't4g'}.${size}`;
};
