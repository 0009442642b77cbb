/** The part of a document of kind `notes` or `code` that holds the text. */
export const TEXT = "text";
