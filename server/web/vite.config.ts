import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Rollup } from 'vite';

/** All modules that `entry` needs; with `later` those that it fetches later, too. */
function reach(entry: string, later: boolean, getModuleInfo: Rollup.GetModuleInfo, all = new Set<string>()): Set<string> {
  if (all.has(entry)) return all;
  all.add(entry);
  const { importedIds, dynamicallyImportedIds } = getModuleInfo(entry)!;
  for (const id of later ? [...importedIds, ...dynamicallyImportedIds] : importedIds) reach(id, later, getModuleInfo, all);
  return all;
}
let shared: Set<string> | undefined;
/** What both pages need is one file, so that the technician's page is three: its own, this one, and a language. */
function chunk(id: string, { getModuleIds, getModuleInfo }: Rollup.ManualChunkMeta): string | undefined {
  if (!shared) {
    const entry = (name: string) => [...getModuleIds()].find((one) => one.endsWith(`/${name}`))!;
    const operations = reach(entry('noc.html'), true, getModuleInfo);
    shared = new Set([...reach(entry('tech.html'), false, getModuleInfo)].filter((one) => operations.has(one)));
  }
  return shared.has(id) ? 'shared' : undefined;
}

// Two entries: the operations page and the technician's. Nothing is inlined, so the page runs under `default-src 'self'`.
export default defineConfig({
  plugins: [svelte()],
  json: { stringify: true, namedExports: false },
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { noc: 'noc.html', tech: 'tech.html' }, output: { manualChunks: chunk, experimentalMinChunkSize: 8_000 } },
  },
  server: { port: 5173, proxy: { '/api': 'http://127.0.0.1:8080', '^/a/': 'http://127.0.0.1:8080' } },
});
