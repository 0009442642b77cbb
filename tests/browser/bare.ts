// A call without the page: two RTCPeerConnections in two browsers, and the test as the postman between them.
import type { Page } from "@playwright/test";

export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}

/** What one side's statistics say of the call. */
export interface Picture {
  state: string;
  /** The kinds of the candidates of the pair that carries media. */
  local: string | undefined;
  remote: string | undefined;
  /** How the local relay is reached; absent when the local candidate is none. */
  relayProtocol: string | undefined;
  frames: number;
}

interface Signal {
  description?: RTCSessionDescriptionInit;
  candidate?: RTCIceCandidateInit;
}

interface Bare {
  pc: RTCPeerConnection;
  outbox: Signal[];
}

declare global {
  interface Window {
    bare: Bare;
  }
}

/** An empty page at the server's origin: a camera needs a secure context. */
export async function emptyPage(page: Page, url: string): Promise<void> {
  const address = `${url}/bare`;
  await page.route(address, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto(address);
}

/** Opens camera and microphone and a connection that has not been negotiated. */
export async function prepare(page: Page, iceServers: IceServer[]): Promise<void> {
  await page.evaluate(async (iceServers) => {
    const pc = new RTCPeerConnection({ iceServers });
    const outbox: Signal[] = [];
    pc.onicecandidate = ({ candidate }) => {
      if (candidate) outbox.push({ candidate: candidate.toJSON() });
    };
    pc.ontrack = ({ streams: [stream], track }) => {
      if (track.kind !== "video" || !stream) return;
      // Frames are decoded only for who looks.
      const video = document.createElement("video");
      video.muted = true;
      video.srcObject = stream;
      document.body.append(video);
      void video.play();
    };
    window.bare = { pc, outbox };
    const media = await navigator.mediaDevices.getUserMedia({
      audio: true,
      video: { width: 320, height: 240 },
    });
    for (const track of media.getTracks()) pc.addTrack(track, media);
  }, iceServers);
}

/** Makes an offer. */
export async function offer(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const { pc, outbox } = window.bare;
    await pc.setLocalDescription();
    if (pc.localDescription) outbox.push({ description: pc.localDescription.toJSON() });
  });
}

/** Carries what one side has for the other, once. */
async function carry(from: Page, to: Page): Promise<void> {
  const signals = await from.evaluate(() => window.bare.outbox.splice(0));
  // A description goes before the candidates that belong to it.
  signals.sort((a, b) => Number(b.description !== undefined) - Number(a.description !== undefined));
  await to.evaluate(async (signals) => {
    const { pc, outbox } = window.bare;
    for (const { description, candidate } of signals) {
      if (description) {
        await pc.setRemoteDescription(description);
        if (description.type !== "offer") continue;
        await pc.setLocalDescription();
        if (pc.localDescription) outbox.push({ description: pc.localDescription.toJSON() });
      } else if (candidate) {
        await pc.addIceCandidate(candidate);
      }
    }
  }, signals);
}

/** Carries signals both ways. */
export async function exchange(one: Page, other: Page): Promise<void> {
  await carry(one, other);
  await carry(other, one);
}

/** What a connection's statistics say, wherever it is. */
export async function picture(page: Page): Promise<Picture> {
  return page.evaluate(async () => {
    const { pc } = window.bare;
    const stats = await pc.getStats();
    const all = [...stats.values()];
    const transport = all.find((stat) => stat.type === "transport");
    const pair = stats.get(transport?.selectedCandidatePairId ?? "");
    const local = stats.get(pair?.localCandidateId ?? "");
    const remote = stats.get(pair?.remoteCandidateId ?? "");
    const video = all.find((stat) => stat.type === "inbound-rtp" && stat.kind === "video");
    return {
      state: pc.connectionState,
      local: local?.candidateType,
      remote: remote?.candidateType,
      relayProtocol: local?.relayProtocol,
      frames: video?.framesDecoded ?? 0,
    };
  });
}
