// The board's fonts come from this server. Read by the component when it is loaded, so this comes before it.
const base = import.meta.env.DEV ? "/node_modules/@excalidraw/excalidraw/dist/prod/" : "./";

declare global {
  interface Window {
    EXCALIDRAW_ASSET_PATH?: string | string[];
  }
}

window.EXCALIDRAW_ASSET_PATH = new URL(base, import.meta.url).href;
