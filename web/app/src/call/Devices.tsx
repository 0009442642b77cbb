import type { MediaState } from "@stoa/client/call";
import { useEffect, useRef } from "react";
import { Choose } from "../dialogs/parts.tsx";
import type { Sitting } from "./sitting.ts";
import { problemText } from "./state.ts";
import type { CallWords } from "./words.ts";

const KINDS = [
  { kind: "microphone", list: "audioinput", chosen: "microphoneId" },
  { kind: "camera", list: "videoinput", chosen: "cameraId" },
  { kind: "speaker", list: "audiooutput", chosen: "speakerId" },
] as const;

/** Whether sound can be sent to a chosen loudspeaker here. */
const canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype;

/** Which devices are used. Their names are told once one of them was allowed. */
export function Devices({ sitting, media, words }: { sitting: Sitting; media: MediaState; words: CallWords }) {
  return (
    <div className="devices">
      {KINDS.map(({ kind, list, chosen }) => {
        if (kind === "speaker" && !canChooseSpeaker) return null;
        const found = media.devices.filter((device) => device.kind === list && device.deviceId !== "");
        const choices = found.map(({ deviceId, label }, index) => ({
          value: deviceId,
          label: label || `${words[kind]} ${index + 1}`,
        }));
        const isKnown = choices.some(({ value }) => value === media[chosen]);
        const first = { value: "", label: choices.length === 0 ? words.noDevice : words.defaultDevice };
        return (
          <Choose
            key={kind}
            label={words[kind]}
            value={isKnown ? (media[chosen] ?? "") : ""}
            choices={isKnown ? choices : [first, ...choices]}
            isDisabled={choices.length === 0}
            onChange={(device) => device !== "" && sitting.choose(kind, device)}
          />
        );
      })}
    </div>
  );
}

/** Why a device is not there, and what can be done about it. */
export function DeviceProblems({ media, words }: { media: MediaState; words: CallWords }) {
  if (media.problems.size === 0) return null;
  return (
    <div className="device-problems" role="alert" data-testid="device-problems">
      <ul>
        {[...media.problems].map(([source, problem]) => (
          <li key={source}>
            <strong>
              {source === "camera" ? words.camera : source === "microphone" ? words.microphone : words.share}
            </strong>
            {" – "}
            {problemText(source, problem, words)}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** How loud the microphone hears, as a bar. */
export function Level({ track, words }: { track: MediaStreamTrack | undefined; words: CallWords }) {
  const ref = useRef<HTMLMeterElement>(null);
  useEffect(() => {
    if (!track) return;
    const audio = new AudioContext();
    const analyser = audio.createAnalyser();
    analyser.fftSize = 512;
    const source = audio.createMediaStreamSource(new MediaStream([track]));
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let frame = 0;
    const look = () => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      // From a whisper to a shout, as ears hear: -60 dB is nothing, -10 dB is full.
      const level = power > 0 ? (10 * Math.log10(power) + 60) / 50 : 0;
      if (ref.current) ref.current.value = Math.min(1, Math.max(0, level));
      frame = requestAnimationFrame(look);
    };
    look();
    return () => {
      cancelAnimationFrame(frame);
      void audio.close();
    };
  }, [track]);
  return <meter ref={ref} className="level" min={0} max={1} aria-label={words.level} data-testid="level" />;
}
