/** A colour of one's own, the same on every screen: by the user's id (FNV-1a), dark enough for white letters. */
export function colourOf(user: string): { strong: string; light: string } {
  let hash = 0x811c9dc5;
  for (let at = 0; at < user.length; at += 1) hash = Math.imul(hash ^ user.charCodeAt(at), 0x01000193) >>> 0;
  const hue = hash % 360;
  return { strong: `hsl(${hue} 65% 38%)`, light: `hsl(${hue} 70% 78%)` };
}

/** What others say that their colour is goes into styles: nothing but a colour passes. */
export function colourFrom(said: unknown, otherwise: string): string {
  return typeof said === "string" && /^(#[0-9a-f]{3,8}|hsla?\([\d\s.,%/]{3,40}\))$/i.test(said) ? said : otherwise;
}
