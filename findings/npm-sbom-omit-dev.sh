#!/usr/bin/env bash
# npm 11.19.1: `npm sbom --omit dev` leaves out production packages that a development dependency needs, too.
#
# Behaviour: a project depends on ms, and for development on debug, which depends on ms. `npm ls --omit dev` shows ms;
# `npm sbom --omit dev` lists no component at all, in CycloneDX and in SPDX. Without the development dependency, or
# without --omit, ms is listed.
# Consequence: a bill of materials made like this lacks shipped packages without a warning, and scanners pass over their
# vulnerabilities. List everything, and leave out what the bill marks as development.
set -euo pipefail

VERSION=11.19.1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' > package.json
npm install --silent "npm@$VERSION"
npm=$folder/node_modules/.bin/npm
mkdir project && cd project
cat > package.json <<'JSON'
{ "name": "x", "version": "1.0.0", "dependencies": { "ms": "2.1.3" }, "devDependencies": { "debug": "4.4.3" } }
JSON
"$npm" install --silent --package-lock-only

names() { # FORMAT OPTIONS...
  local format=$1
  shift
  "$npm" sbom --package-lock-only --sbom-format "$format" "$@" |
    node -e 'const bill = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
      console.log((bill.components ?? bill.packages).map(({ name }) => name).filter((name) => name !== "x").sort().join(" "))'
}
listed=$("$npm" ls --omit dev --package-lock-only --parseable --depth 0 | grep -c 'node_modules/ms$')
echo "npm $("$npm" --version): ls --omit dev lists ms: $listed"
for format in cyclonedx spdx; do
  echo "$format: all: $(names "$format"); --omit dev: $(names "$format" --omit dev)"
  [ "$(names "$format")" = 'debug ms' ]
  [ -z "$(names "$format" --omit dev)" ]
done
[ "$listed" = 1 ]
echo "as described: ms is a production package, and is left out"
