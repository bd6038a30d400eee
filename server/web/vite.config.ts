import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin, type Rollup } from 'vite';

/** All modules that `entry` needs; with `later` those that it fetches later, too. */
function reach(entry: string, later: boolean, getModuleInfo: Rollup.GetModuleInfo, all = new Set<string>()): Set<string> {
  if (all.has(entry)) return all;
  all.add(entry);
  const { importedIds, dynamicallyImportedIds } = getModuleInfo(entry)!;
  for (const id of later ? [...importedIds, ...dynamicallyImportedIds] : importedIds) reach(id, later, getModuleInfo, all);
  return all;
}
let shared: Set<string> | undefined, before: Set<string>;
/** What both pages need is one file, but for what runs before it. */
function chunk(id: string, { getModuleIds, getModuleInfo }: Rollup.ManualChunkMeta): string | undefined {
  if (!shared) {
    const entry = (name: string) => [...getModuleIds()].find((one) => one.endsWith(`/${name}`))!;
    const operations = reach(entry('noc.html'), true, getModuleInfo);
    before = reach(entry('src/language.ts'), false, getModuleInfo);
    shared = new Set([...reach(entry('tech.html'), false, getModuleInfo)].filter((one) => operations.has(one) && !before.has(one)));
  }
  return before.has(id) ? 'language' : shared.has(id) ? 'shared' : undefined;
}

/** The scripts that run before a page's own one is there, by page. */
const FIRST: Record<string, string[]> = { 'noc.html': ['language'], 'tech.html': ['language', 'early'] };
const first: Plugin = {
  name: 'first',
  transformIndexHtml: {
    order: 'post',
    handler(html, { filename, bundle }) {
      const built = Object.values(bundle ?? {});
      const tags = (FIRST[filename.split('/').at(-1)!] ?? []).map((name) => {
        const chunk = built.find((one) => one.type === 'chunk' && one.isEntry && one.name === name);
        if (!chunk) throw new Error(`${filename}: the script ${name} was not built`);
        return { tag: 'script', attrs: { type: 'module', crossorigin: true, src: `/${chunk.fileName}` }, injectTo: 'head-prepend' as const };
      });
      return { html, tags };
    },
  },
};

// Two entries: the operations page and the technician's. Nothing is inlined, so the page runs under `default-src 'self'`.
export default defineConfig({
  plugins: [svelte(), first],
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { noc: 'noc.html', tech: 'tech.html', language: 'src/language.ts', early: 'src/early.ts' }, output: { manualChunks: chunk, experimentalMinChunkSize: 8_000 } },
  },
  server: { port: 5173, proxy: { '/api': 'http://127.0.0.1:8080', '^/a/': 'http://127.0.0.1:8080' } },
});
