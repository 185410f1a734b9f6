/** Alertmanager's configuration: whom it tells of an alarm. JSON, which is YAML too; passwords stay in files of their own. */
import type { readJob } from './config.ts';

export type AlarmSettings = Pick<
  ReturnType<typeof readJob<'prepare'>>,
  | 'FLOTA_ALARM_EMAIL'
  | 'FLOTA_ALARM_FROM'
  | 'FLOTA_ALARM_WEBHOOK'
  | 'FLOTA_SMTP'
  | 'FLOTA_SMTP_USER'
  | 'FLOTA_SMTP_TLS'
>;

export interface AlarmPaths {
  /** A file with the password of FLOTA_SMTP_USER. */
  smtpPassword: string;
  /** A file with the bearer token that the receiver of FLOTA_ALARM_WEBHOOK may ask for. */
  webhookToken: string;
}

/** As they are mounted by compose.yaml. */
export const mounted: AlarmPaths = {
  smtpPassword: '/run/secrets/alarm_smtp_password',
  webhookToken: '/run/secrets/alarm_webhook_token',
};

/** With neither an address nor a webhook its one receiver tells nobody: alarms are seen in its own page only. */
export function renderAlertmanager(settings: AlarmSettings, paths = mounted): string {
  const { FLOTA_ALARM_EMAIL: to, FLOTA_ALARM_WEBHOOK: url, FLOTA_SMTP_USER: user } = settings;
  const email = to && {
    to,
    from: settings.FLOTA_ALARM_FROM,
    smarthost: settings.FLOTA_SMTP,
    require_tls: settings.FLOTA_SMTP_TLS,
    ...(user && { auth_username: user, auth_password_file: paths.smtpPassword }),
    send_resolved: true,
    headers: {
      Subject: '[{{ .Status | toUpper }}] Flota: {{ .GroupLabels.alertname }} ({{ .CommonLabels.severity }})',
    },
    text: '{{ range .Alerts }}{{ .Annotations.summary }}\nWhat to do: {{ .Annotations.runbook }}\nSince {{ .StartsAt }}\n\n{{ end }}',
    html: '',
  };
  const webhook = url && {
    url,
    send_resolved: true,
    http_config: { authorization: { credentials_file: paths.webhookToken } },
  };
  return JSON.stringify(
    {
      route: {
        receiver: 'operators',
        group_by: ['alertname'],
        group_wait: '1m',
        group_interval: '5m',
        repeat_interval: '12h',
        routes: [
          {
            receiver: 'operators',
            matchers: ['severity="critical"'],
            group_wait: '10s',
            repeat_interval: '1h',
          },
        ],
      },
      // What follows from another alarm says nothing new.
      inhibit_rules: [
        { source_matchers: ['alertname="WebhookGone"'], target_matchers: ['alertname="WebhookCopyDown"'] },
        {
          source_matchers: ['alertname="DatabaseDown"'],
          target_matchers: ['alertname=~"EventsFailing|IngestSlow|IngestFull|RequestsFailing"'],
        },
      ],
      receivers: [
        {
          name: 'operators',
          ...(email && { email_configs: [email] }),
          ...(webhook && { webhook_configs: [webhook] }),
        },
      ],
    },
    null,
    2,
  );
}
