export interface Forms extends Partial<Record<Intl.LDMLPluralRule, string>> {
  other: string;
}

export interface Counter {
  /** `1 message`, `1,200 messages`. */
  (n: number, forms: Forms): string;
  number(n: number): string;
}

/** Counts things in a language: the form by its plural rules, the number as it writes numbers. */
export function counter(language: string): Counter {
  const rules = new Intl.PluralRules(language);
  const numbers = new Intl.NumberFormat(language);
  const count = (n: number, forms: Forms) => `${numbers.format(n)}\u00a0${forms[rules.select(n)] ?? forms.other}`;
  return Object.assign(count, { number: (n: number) => numbers.format(n) });
}
