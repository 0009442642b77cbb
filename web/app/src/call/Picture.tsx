import { useEffect, useRef } from "react";
import { JOIN_MARK } from "./sitting.ts";

interface Props {
  track: MediaStreamTrack;
  /** One's own face as in a mirror. */
  isMirrored?: boolean;
  /** A screen is shown whole; a face may lose its edges. */
  isWhole?: boolean;
  /** Whether it came from somebody else. */
  isRemote?: boolean;
}

/** A moving picture without sound. */
export function Picture({ track, isMirrored, isWhole, isRemote }: Props) {
  const ref = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = ref.current;
    if (!video) return;
    video.srcObject = new MediaStream([track]);
    // A page that nobody has touched plays silent pictures all the same.
    video.play().catch(() => {});
    if (isRemote) video.requestVideoFrameCallback?.(measure);
    return () => {
      video.srcObject = null;
    };
  }, [track, isRemote]);
  return (
    <video
      ref={ref}
      className={`picture ${isMirrored ? "mirrored" : ""} ${isWhole ? "whole" : ""}`}
      muted
      playsInline
      autoPlay
      tabIndex={-1}
    />
  );
}

/** Says once how long it took from the press of the button to the first picture of somebody else. */
function measure(): void {
  if (performance.getEntriesByName(JOIN_MARK).length === 0) return;
  performance.measure("stoa.first-picture", JOIN_MARK);
  performance.clearMarks(JOIN_MARK);
}
