/** The sentences of `message.ts` for channels whose readers speak Korean. */
import type { Facts } from './kinds.ts';
import type { Sentences } from './message.ts';

const list = ({ devices, first }: { devices: number; first: string[] }) =>
  `${first.join(', ')}${devices > first.length ? ` 외 ${devices - first.length}대` : ''}`;

const halts: Record<Facts['deployment_halted']['reason'], string> = {
  failures: '실패가 너무 많습니다',
  silence: '응답이 끊긴 디바이스가 너무 많습니다',
  gate_missed: '성공한 디바이스가 너무 적습니다',
  health_worse: '새 이미지를 받은 디바이스의 상태가 대조군보다 나쁩니다',
};
const figures = (figures: Facts['deployment_halted']['figures']): string => {
  if (!figures) return '';
  const { measure, devices, of, percent } = figures;
  switch (measure) {
    case 'failed':
      return ` (${of}대 중 ${devices}대 실패, 허용 ${percent}%)`;
    case 'silent':
      return ` (${of}대 중 ${devices}대 무응답, 허용 ${percent}%)`;
    case 'unreached':
      return ` (${of}대 모두에 연결할 수 없었음)`;
    case 'succeeded':
      return ` (${devices}대 성공, 다음 단계에는 ${of}대 필요)`;
  }
};

export const sentencesInKorean: Sentences = {
  deployment_waiting: ({ firmware, version, by, devices }) =>
    `${by}님이 요청한 ${firmware} ${version} 배포(디바이스 ${devices}대)가 다른 사용자의 승인을 기다립니다`,
  deployment_halted: ({ firmware, version, reason, wave, figures: counted }) =>
    `${firmware} ${version} 배포가 ${wave + 1}단계에서 자동 중단되었습니다: ${halts[reason]}${figures(counted)}`,
  deployment_completed: ({ firmware, version, succeeded, failed, others }) =>
    `${firmware} ${version} 배포가 완료되었습니다: 성공 ${succeeded}대, 실패 ${failed}대, 기타 ${others}대`,
  certificate_expiring: ({ withinDays, ...devices }) =>
    withinDays === 0
      ? `디바이스 ${devices.devices}대의 인증서가 만료되었습니다: ${list(devices)}`
      : `디바이스 ${devices.devices}대의 인증서가 ${withinDays}일 안에 만료됩니다: ${list(devices)}`,
  device_silent: ({ hours, ...devices }) =>
    `디바이스 ${devices.devices}대가 ${hours}시간 동안 연결되지 않았습니다: ${list(devices)}`,
  crash_group_new: ({ reason, pc, device, version }) =>
    `새로운 크래시: ${pc}의 ${reason}. ${version} 버전을 실행하는 ${device}에서 처음 보고되었습니다`,
  group_matches: ({ group, devices, above }) =>
    `${group}에 해당하는 디바이스가 ${devices}대로, 기준인 ${above}대를 넘었습니다`,
  broker_losing_rows: ({ losses }) =>
    `브로커에서 메시지가 유실되었습니다: ${losses.map((one) => `${one.kind} ${one.id}: ${one.count}건(${one.why})`).join('; ')}`,
  dead_letters: ({ code, device }) =>
    `처리하지 못한 메시지가 있습니다: ${code}${device ? ` (${device})` : ''}. 같은 시간의 나머지는 하나씩 알리지 않습니다`,
  test: () => '테스트 알림입니다',
};
