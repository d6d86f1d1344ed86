// One script, one stylesheet, one page; fonts inline; no hashes, no times: the same input gives the same bytes.
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/',
  publicDir: false,
  build: {
    target: 'es2022',
    assetsInlineLimit: Number.MAX_SAFE_INTEGER,
    cssCodeSplit: false,
    chunkSizeWarningLimit: 3000,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      output: {
        codeSplitting: false,
        entryFileNames: 'playground/playground.js',
        assetFileNames: 'playground/playground[extname]',
      },
      // Libraries mark their modules for server components; there are none here.
      onLog(level, log, next) {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') next(level, log);
      },
    },
  },
  plugins: [flat()],
});

/** The page asks for /playground/playground.js; on disk the three files lie side by side. */
function flat() {
  return {
    name: 'flat',
    enforce: 'post',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        file.fileName = file.fileName.replace('playground/', '');
      }
    },
  };
}
