// With what one comes to a call: the button that was pressed says whether the camera is to be on.
let isVideo = true;

export function intend(media: "audio" | "video"): void {
  isVideo = media === "video";
}

export function wantsCamera(): boolean {
  return isVideo;
}
