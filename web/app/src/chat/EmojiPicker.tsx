import { type EmojiData, EmojiPicker as Picker } from "frimousse";
import { useWords } from "../words/index.ts";
import { emojiLanguage, loadEmoji, usualEmoji } from "./emoji.ts";

const COLUMNS = 8;
const TONES = ["light", "medium-light", "medium", "medium-dark", "dark"] as const;

/** The data as the picker wants them. */
async function dataOf(locale: string): Promise<EmojiData> {
  const { groups, tones, rows } = await loadEmoji(locale === "fr" ? "fr" : "en");
  return {
    locale,
    categories: groups.map(([index, label]) => ({ index, label })),
    skinTones: Object.fromEntries(TONES.map((tone, at) => [tone, tones[at] ?? tone])) as EmojiData["skinTones"],
    emojis: rows.map(([emoji, label, tags, codes, category, version, skins]) => ({
      emoji,
      category,
      label,
      version,
      tags: [...tags, ...codes],
      skins:
        skins && (Object.fromEntries(TONES.map((tone, at) => [tone, skins[at]])) as EmojiData["emojis"][0]["skins"]),
    })),
  };
}

/** The whole picker: search, groups, arrow keys. */
export function EmojiPicker({ onPick }: { onPick: (emoji: string) => void }) {
  const words = useWords();
  return (
    <Picker.Root
      className="emoji-picker"
      locale={emojiLanguage()}
      columns={COLUMNS}
      resolveEmojiData={dataOf}
      onEmojiSelect={({ emoji }) => onPick(emoji)}
    >
      <div className="emoji-usual">
        {usualEmoji(COLUMNS).map((emoji) => (
          <button type="button" key={emoji} className="emoji" onClick={() => onPick(emoji)}>
            {emoji}
          </button>
        ))}
      </div>
      <Picker.Search
        className="emoji-search"
        placeholder={words.chat.findEmoji}
        aria-label={words.chat.findEmoji}
        autoFocus
      />
      <Picker.Viewport className="emoji-view">
        <Picker.Loading className="emoji-note">{words.chat.loadingEmoji}</Picker.Loading>
        <Picker.Empty className="emoji-note">{words.chat.noEmoji}</Picker.Empty>
        <Picker.List
          className="emoji-list"
          components={{
            CategoryHeader: ({ category, ...props }) => (
              <div {...props} className="emoji-group">
                {category.label}
              </div>
            ),
            Row: ({ children, ...props }) => (
              <div {...props} className="emoji-row">
                {children}
              </div>
            ),
            Emoji: ({ emoji, ...props }) => (
              <button {...props} type="button" className="emoji" aria-label={emoji.label} title={emoji.label}>
                {emoji.emoji}
              </button>
            ),
          }}
        />
      </Picker.Viewport>
    </Picker.Root>
  );
}
