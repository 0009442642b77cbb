/** The part of a document of kind `notes` or `code` that holds the text. */
export const TEXT = "text";
/** The part that holds what goes for everybody: the language of a code pad. */
export const SETTINGS = "settings";
