import type { Role } from "@stoa/client";
import { type FormEvent, useCallback, useEffect, useState } from "react";
import { Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import type { Link } from "../api.ts";
import { useClient, useRoomState } from "../hooks.ts";
import { CheckIcon, LinkIcon } from "../icons.tsx";
import { at } from "../place.ts";
import { useSession } from "../session.ts";
import { fullTimeOf } from "../time.ts";
import { say } from "../told.ts";
import { faultText, useWords } from "../words/index.ts";
import { Choose, Line, Problem, Sheet } from "./parts.tsx";
import { useWork } from "./work.ts";

/** An invite presupposes an account; a join link is itself the key. */
type Way = "invites" | "links";

const HOUR_S = 3600;
const LASTS_S = [HOUR_S, 24 * HOUR_S, 7 * 24 * HOUR_S, 30 * 24 * HOUR_S, 0];
const USES = [1, 5, 25, 100, 0];
const ROLES: Role[] = ["viewer", "member", "host"];
const PAGE = 100;

export default function InvitePeople({ id, onClose }: { id: string; onClose: () => void }) {
  const words = useWords();
  const { access } = useRoomState(useClient().room(id));
  // A join link lets strangers in, which is for those who manage the room.
  const mayOpen = access?.capabilities.includes("manage") ?? false;
  return (
    <Sheet title={words.invitePeople} onClose={onClose} isWide>
      <Tabs className="tabs">
        <TabList aria-label={words.invitePeople} className="tab-list">
          <Tab id="invites" className="tab">
            {words.withAccount}
          </Tab>
          {mayOpen && (
            <Tab id="links" className="tab">
              {words.withoutAccount}
            </Tab>
          )}
        </TabList>
        <TabPanel id="invites" className="stack">
          <Links id={id} way="invites" />
        </TabPanel>
        {mayOpen && (
          <TabPanel id="links" className="stack">
            <Links id={id} way="links" />
          </TabPanel>
        )}
      </Tabs>
    </Sheet>
  );
}

function Links({ id, way }: { id: string; way: Way }) {
  const words = useWords();
  const session = useSession();
  const { access } = useRoomState(useClient().room(id));
  const [links, setLinks] = useState<readonly Link[]>();
  const [made, setMade] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const [role, setRole] = useState<Role>("member");
  const [lasts, setLasts] = useState(String(7 * 24 * HOUR_S));
  const [uses, setUses] = useState(way === "links" ? "1" : "0");
  const [name, setName] = useState("");
  const work = useWork();
  const path = `v1/rooms/${id}/${way}`;

  const load = useCallback(async () => {
    try {
      const all: Link[] = [];
      let after: string | undefined;
      do {
        const query = new URLSearchParams({ limit: String(PAGE), ...(after === undefined ? {} : { after }) });
        const page = await session.call<{ invites?: Link[]; links?: Link[]; next?: string }>("GET", `${path}?${query}`);
        all.push(...(page.invites ?? page.links ?? []));
        after = page.next;
      } while (after !== undefined && all.length < 10 * PAGE);
      // The newest first; what opens nothing any more is told below.
      setLinks(all.reverse());
    } catch (error) {
      setProblem(faultText(error as { code: string; message: string }));
    }
  }, [path, session]);
  useEffect(() => void load(), [load]);

  const create = async (event: FormEvent) => {
    event.preventDefault();
    const body = {
      role,
      expires_in_s: lasts === "0" ? undefined : Number(lasts),
      uses: uses === "0" ? undefined : Number(uses),
      name: way === "links" && name.trim() ? name.trim() : undefined,
    };
    await work.run(async () => {
      const { url } = await session.call<{ url: string }>("POST", path, body);
      setMade(new URL(url, at("")).href);
      setName("");
      await load();
    });
  };
  const revoke = async (link: string) => {
    if (!(await work.run(() => session.call("DELETE", `${path}/${link}`)))) return;
    say(words.revokedNow);
    await load();
  };
  // Nobody gives away more than they have.
  const rank = ROLES.indexOf(access?.role ?? "viewer");
  const open = links?.filter((link) => link.state === "open" || link.state === "not_yet") ?? [];

  return (
    <>
      <p className="muted">{way === "invites" ? words.withAccountWhy : words.withoutAccountWhy}</p>
      <form className="stack" onSubmit={(event) => void create(event)}>
        {way === "links" && (
          <Line label={words.guestName} value={name} onChange={setName} hint={words.guestNameHint} maxLength={64} />
        )}
        <div className="choices">
          <Choose
            label={words.role}
            value={role}
            onChange={setRole}
            choices={ROLES.slice(0, rank + 1).map((value) => ({ value, label: words.roles[value] }))}
          />
          <Choose
            label={words.lasts}
            value={lasts}
            onChange={setLasts}
            choices={LASTS_S.map((s) => ({ value: String(s), label: words.lastsFor(s) }))}
          />
          <Choose
            label={words.uses}
            value={uses}
            onChange={setUses}
            choices={USES.map((n) => ({ value: String(n), label: words.usesOf(n) }))}
          />
        </div>
        <button type="submit" className="button primary" disabled={work.isBusy}>
          {words.makeLink}
        </button>
      </form>
      {made !== undefined && <Made url={made} />}
      <Problem text={problem ?? work.problem} />
      {open.length > 0 && (
        <section className="stack">
          <h3>{words.openLinks}</h3>
          <ul className="lines">
            {open.map((link) => (
              <li key={link.id} className="line">
                <span className="line-text">
                  <span>
                    <bdi>{link.name ?? words.roles[link.role]}</bdi> · {words.usedOf(link.used, link.uses)}
                  </span>
                  <span className="fine">
                    {link.expires_at === undefined ? words.forEver : words.until(fullTimeOf(link.expires_at))}
                  </span>
                </span>
                <button
                  type="button"
                  className="button small"
                  disabled={work.isBusy}
                  onClick={() => void revoke(link.id)}
                >
                  {words.revoke}
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** The address of a new link. It is shown this once: the server keeps no code. */
function Made({ url }: { url: string }) {
  const words = useWords();
  const [isCopied, setCopied] = useState(false);
  const copy = () =>
    navigator.clipboard?.writeText(url).then(
      () => setCopied(true),
      () => {},
    );
  return (
    <div className="made" role="status">
      <p className="fine">{words.linkOnce}</p>
      <div className="inline">
        <input
          className="made-url"
          aria-label={words.theLink}
          readOnly
          value={url}
          onFocus={(event) => event.target.select()}
        />
        <button type="button" className="button" onClick={() => void copy()}>
          {isCopied ? <CheckIcon /> : <LinkIcon />}
          {isCopied ? words.copied : words.copyLink}
        </button>
      </div>
    </div>
  );
}
