/** The release, as in package.json; kept here because a packaged program has no package.json. */
export const VERSION = '0.1.0';
