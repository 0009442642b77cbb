/** Gives the user a file. */
export function download(name: string, content: string, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken what it needs when the click returns; some take it a little later.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
