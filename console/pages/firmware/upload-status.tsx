import { type JSX, Show } from 'solid-js';
import { formatBytes } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { Progress } from '../../parts/progress.tsx';
import type { UploadProgress } from '../../upload.ts';

/** Which of the three steps is under way, and how far the file has been sent. */
export function UploadStatus(props: {
  progress: UploadProgress;
  sizeBytes: number;
  onCancel: () => void;
}): JSX.Element {
  return (
    <div data-testid="upload">
      <div class="upload-line">
        <span role="status">{t(`register.step.${props.progress.step}`)}</span>
        <Show when={props.progress.step === 'sending'}>
          <span class="soft">
            {t('register.sent', {
              sent: formatBytes(language(), props.progress.sentBytes),
              total: formatBytes(language(), props.sizeBytes),
            })}
          </span>
        </Show>
      </div>
      <Progress
        value={props.progress.sentBytes}
        max={props.sizeBytes}
        label={t(`register.step.${props.progress.step}`)}
      />
      <div class="actions" style={{ 'margin-top': 'var(--u2)' }}>
        <button type="button" class="button" onClick={() => props.onCancel()}>
          {t('common.cancel')}
        </button>
      </div>
    </div>
  );
}
