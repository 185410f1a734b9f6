/** `report.html`: one file with everything in it, for a browser and for paper. */
import { completionChart, downloadsChart, statesChart, throughputChart } from './charts.ts';
import type { Comparison } from './comparison.ts';
import { describeFigures, format, isGood, type Report } from './report.ts';

const style = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2530;--dim:#5a6675;--line:#d9dfe6;--card:#f6f8fa;--c1:#2563c9;--c2:#9db9e8;--c3:#7a4fc0;--c4:#cfdcf3;--good:#2c8a57;--bad:#c4372f;--faint:#e4e8ed}
@media(prefers-color-scheme:dark){:root{--bg:#12171d;--fg:#e4e9ef;--dim:#9aa6b4;--line:#303a46;--card:#1a2129;--c1:#6ea2f5;--c2:#38548a;--c3:#a889e0;--c4:#2b3b57;--good:#4fb37d;--bad:#ea6a62;--faint:#2a333d}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1080px;padding:24px 16px 48px;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:40px 0 4px}p{margin:4px 0 12px;color:var(--dim)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{padding:5px 8px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th{color:var(--dim);font-weight:600;vertical-align:bottom;white-space:normal}th:first-child,td:first-child{text-align:left}
thead th{border-bottom:2px solid var(--fg)}tbody tr:last-child td{border-bottom:2px solid var(--fg)}
.good{color:var(--good)}.bad{color:var(--bad)}.plots{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:14px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px}figcaption{font-weight:600;font-size:13.5px;margin-bottom:4px}
svg{display:block;width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--dim)}.axis{stroke:var(--dim)}.grid{stroke:var(--line);stroke-dasharray:3 3}
.legend{display:flex;flex-wrap:wrap;gap:2px 12px;font-size:12px;color:var(--dim)}.legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:4px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:12px 0;font-size:13.5px}dt{color:var(--dim)}dd{margin:0}ul{margin:8px 0;padding:0;list-style:none;font-size:13.5px}
@media(max-width:640px){.plots{grid-template-columns:1fr}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:6px}}
@media print{body{max-width:none;padding:0}figure,dl{break-inside:avoid}}`;

export function renderPage(reports: Report[], comparison: Comparison | null): string {
  const first = reports[0];
  const met = reports.filter(isGood).length;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Flota: experiments</title><style>${style}</style></head><body>
<h1>Flota: experiments</h1>
<p>${met} of ${reports.length} scenarios as expected. ${first ? `${escapeHtml(first.at.slice(0, 10))}, ${escapeHtml(first.machine)}.` : ''} Virtual devices, real protocols: MQTT and HTTPS over TLS, a network shaped inside each device.</p>
${summary(reports)}
${comparison ? compared(comparison) : ''}
${reports.map(section).join('\n')}
</body></html>
`;
}

function summary(reports: Report[]): string {
  const heads = [
    'Scenario',
    'Devices',
    'Success',
    'Download median / p95 / p99',
    'Until 50 / 100\u00a0%',
    'Recovered',
    'Rolled back',
    'Re-downl.',
    'Messages',
    '',
  ];
  const rows = reports.map((report) => {
    const f = report.figures;
    return [
      escapeHtml(report.name),
      f.devices,
      format.share(f.successPercent),
      [f.downloadMedianMs, f.downloadP95Ms, f.downloadP99Ms].map(format.time).join(' / '),
      [f.to50Ms, f.to100Ms].map(format.time).join(' / '),
      format.share(f.recoveryPercent),
      format.share(f.rollbackPercent),
      format.share(f.redownloadPercent),
      format.plain(f.messagesPerDevice),
      isGood(report) ? '<span class="good">met</span>' : '<span class="bad">not met</span>',
    ];
  });
  return `${table(heads, rows)}
<p>Median, p95 and p99 are of download times; recovered: of the interrupted downloads, those that went on from a checkpoint to a success; re-downloaded: of the bytes that the images have; messages: sent by a device.</p>`;
}

function compared({ ratios, reports }: Comparison): string {
  const rows = ratios.map((r) => [
    escapeHtml(r.what),
    r.value,
    r.against,
    r.ratio === null ? '–' : String(r.ratio),
  ]);
  return `<h2>Strategies compared</h2>
<p>The same seed, and so the same network and faults, for each: ${escapeHtml(words(reports[0]))}.</p>
${table(['What', 'One', 'Other', 'Ratio'], rows)}`;
}

function section(report: Report): string {
  const verdicts = report.verdicts.map(
    ({ what, expected, found, met }) =>
      `<li class="${met ? 'good' : 'bad'}">${met ? '✓' : '✗'} ${escapeHtml(what)} ${escapeHtml(expected)} (${escapeHtml(found)})</li>`,
  );
  const problems = report.problems.map((problem) => `<li class="bad">${escapeHtml(problem)}</li>`);
  const failures = Object.entries(report.failures).map(([cause, n]) => `${escapeHtml(cause)} ${n}`);
  const facts = [
    ...describeFigures(report.figures),
    ['not succeeded, by cause', failures.length > 0 ? failures.join(', ') : 'none'] as const,
    ['options', escapeHtml(words(report))] as const,
  ];
  return `<h2 id="${escapeHtml(report.name)}">${escapeHtml(report.name)}</h2>
<p>${escapeHtml(report.about ?? '')}</p>
<div class="plots">${completionChart(report.completionsMs, Math.max(1, report.figures.devices))}${statesChart(report.moments)}${downloadsChart(report.downloadsMs)}${throughputChart(report.moments)}</div>
<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('')}</dl>
<ul>${[...verdicts, ...problems].join('')}</ul>`;
}

function table(heads: string[], rows: (string | number)[][]): string {
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`);
  return `<div class="scroll"><table><thead><tr>${heads.map((h) => `<th>${h}</th>`).join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}

function words(report: Report | undefined): string {
  return Object.entries(report?.options ?? {})
    .map(([name, value]) => `--${name} ${value}`)
    .join(' ');
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);
}
