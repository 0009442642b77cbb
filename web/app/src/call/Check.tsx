import type { CheckReport, CheckResult, ConnectionCheck } from "@stoa/client/check";
import { useState } from "react";
import { at } from "../place.ts";
import { useSession } from "../session.ts";
import { faultText } from "../words/index.ts";
import type { CallWords } from "./words.ts";

const origin = () => at("").origin;

/** Tries everything that a call needs, and says what works in words for people. */
export function Check({ words }: { words: CallWords }) {
  const { call } = useSession();
  const [results, setResults] = useState<readonly CheckResult[]>();
  const [report, setReport] = useState<CheckReport>();
  const [problem, setProblem] = useState<string>();
  const isBusy = results !== undefined && report === undefined && problem === undefined;

  const run = async () => {
    setResults([]);
    setReport(undefined);
    setProblem(undefined);
    try {
      const { runChecks } = await import("@stoa/client/check");
      const check = await call<ConnectionCheck>("GET", "v1/check");
      const onResult = (result: CheckResult) => setResults((others = []) => [...others, result]);
      setReport(await runChecks({ check, origin: origin(), onResult }));
    } catch (error) {
      setProblem(faultText(error as { code: string; message: string }));
    }
  };
  const shown = report?.results ?? results ?? [];
  return (
    <section className="check" data-testid="check">
      <button type="button" className="button" onClick={() => void run()} disabled={isBusy}>
        {isBusy ? words.checking : words.check}
      </button>
      {results === undefined && <p className="fine">{words.checkWhy}</p>}
      <p role="status" className={report?.verdict === "blocked" ? "problem" : ""}>
        {problem ?? (report && <strong>{words.checkVerdicts[report.verdict]}</strong>)}
      </p>
      {shown.length > 0 && (
        <ul>
          {shown.map(({ name, status, reason }) => (
            <li key={name} data-check={name} data-status={status}>
              <span className={`check-mark ${status}`} aria-hidden="true" />
              <span>{words.checkNames[name]}</span>
              <span className="muted">{words.checkStates[status]}</span>
              {status === "failed" && <p className="fine">{words.checkReasons[reason ?? "failed"]}</p>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
