import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

const OUT = '../static/graphiql';
const NOTICE = /^(licen[cs]e|copying|copyright|notice|third-?party)/i;
// Published without a licence file: the sibling, from the same repository or author, that has it.
const SIBLING = {
  '@graphiql/plugin-doc-explorer': 'graphiql',
  '@graphiql/plugin-history': 'graphiql',
  'react-compiler-runtime': 'react',
  'react-remove-scroll-bar': 'react-remove-scroll',
};

/** Write the bundle; return the paths of the modules in it. */
async function bundle() {
  const { metafile } = await build({
    entryPoints: {
      graphiql: 'main.jsx',
      'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
      'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
      'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
    },
    outdir: OUT,
    bundle: true,
    minify: true,
    target: 'es2022',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    loader: { '.ttf': 'dataurl' },
    metafile: true,
    logLevel: 'warning',
  });
  return Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
}

async function describe(folder) {
  const { name, version } = JSON.parse(await readFile(`${folder}/package.json`, 'utf8'));
  const notices = (await readNotices(folder)) || (await readNotices(`node_modules/${SIBLING[name]}`));
  return { name, version, notices };
}

async function readNotices(folder) {
  const files = (await readdir(folder)).filter((file) => NOTICE.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(`${folder}/${file}`, 'utf8')));
  return texts.map((text) => text.replaceAll('\r\n', '\n').trim()).join('\n\n');
}

function groupBy(items, key, value) {
  const groups = {};
  for (const item of items) (groups[key(item)] ??= new Set()).add(value(item));
  return Object.entries(groups).map(([name, values]) => [name, [...values].sort()]);
}

await rm(OUT, { recursive: true, force: true });
const modules = await bundle();

const folders = new Set(modules.flatMap((path) => path.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0] ?? []));
const packages = await Promise.all([...folders].sort().map(describe));
packages.sort((a, b) => (a.name > b.name) - (a.name < b.name));

const versions = groupBy(packages, (p) => p.name, (p) => p.version).map(([name, all]) => [name, all.join(', ')]);
await writeFile(`${OUT}/versions.json`, `${JSON.stringify(Object.fromEntries(versions), null, 2)}\n`);

const licenses = groupBy(packages, (p) => p.notices, (p) => `${p.name} ${p.version}`)
  .map(([notices, holders]) => `${holders.join('\n')}\n\n${notices}\n`);
await writeFile(`${OUT}/LICENSES.txt`, licenses.join(`\n${'-'.repeat(80)}\n\n`));
