// `npm run check`: is the committed dist/ what these sources build?
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';

const root = import.meta.dirname;
const committed = join(root, 'dist');
const fresh = mkdtempSync(join(tmpdir(), 'playground-'));

/** The name and bytes of every file in a folder. */
function contents(folder) {
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
}

try {
  await build({ root, logLevel: 'warn', build: { outDir: fresh, emptyOutDir: true } });
  const [was, is] = [contents(committed), contents(fresh)];
  const names = [...new Set([...was.keys(), ...is.keys()])].sort();
  const different = names.filter((name) => !was.has(name) || !is.get(name)?.equals(was.get(name)));
  if (different.length > 0) {
    console.error(`playground/dist is not what its sources build: ${different.join(', ')}`);
    console.error('mend it: cd playground && npm ci && npm run build, then commit dist/');
    process.exitCode = 1;
  } else {
    console.log(`playground/dist is what its sources build (${names.join(', ')})`);
  }
} finally {
  rmSync(fresh, { recursive: true });
}
