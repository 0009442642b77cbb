declare module "virtual:emoji/en" {
  const data: import("./chat/emoji.ts").EmojiFile;
  export default data;
}

declare module "virtual:emoji/fr" {
  const data: import("./chat/emoji.ts").EmojiFile;
  export default data;
}
