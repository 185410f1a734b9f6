import type { FailureReason } from '../api.ts';
import type { Language } from './language.ts';

/** Why an update of a device did not succeed. Few words, so both languages come together. */
const failures: Record<FailureReason, Record<Language, string>> = {
  busy: {
    en: 'The device was busy with another update',
    ko: '디바이스가 다른 업데이트를 진행 중이었습니다',
  },
  bad_request: {
    en: 'The device did not understand the request',
    ko: '디바이스가 요청을 이해하지 못했습니다',
  },
  url_refused: {
    en: 'The device refused the download address',
    ko: '디바이스가 다운로드 주소를 거부했습니다',
  },
  manifest_invalid: {
    en: 'The manifest is not valid',
    ko: '매니페스트가 올바르지 않습니다',
  },
  signature_invalid: {
    en: 'The signature is not valid',
    ko: '서명이 유효하지 않습니다',
  },
  hardware_mismatch: {
    en: 'The firmware is for other hardware',
    ko: '다른 하드웨어용 펌웨어입니다',
  },
  component_unknown: {
    en: 'The device has no such component',
    ko: '디바이스에 없는 컴포넌트입니다',
  },
  downgrade_refused: {
    en: 'Its security version is lower than the running one',
    ko: '보안 버전이 실행 중인 펌웨어보다 낮습니다',
  },
  size_mismatch: {
    en: 'The file size differs from the manifest',
    ko: '파일 크기가 매니페스트와 다릅니다',
  },
  digest_mismatch: {
    en: 'The file differs from the manifest (SHA-256 mismatch)',
    ko: '파일이 매니페스트와 다릅니다(SHA-256 불일치)',
  },
  download_failed: {
    en: 'The download failed',
    ko: '다운로드에 실패했습니다',
  },
  storage_failed: {
    en: 'The device could not store the file',
    ko: '디바이스가 파일을 저장하지 못했습니다',
  },
  install_failed: {
    en: 'The installation failed',
    ko: '설치에 실패했습니다',
  },
  boot_failed: {
    en: 'The new firmware did not boot',
    ko: '새 펌웨어가 부팅되지 않았습니다',
  },
  self_test_failed: {
    en: 'The new firmware failed its self-test',
    ko: '새 펌웨어가 자체 검사를 통과하지 못했습니다',
  },
  too_late: {
    en: 'It was too late to cancel',
    ko: '취소하기에 너무 늦었습니다',
  },
  unknown_deployment: {
    en: 'The device does not know this deployment',
    ko: '디바이스가 모르는 배포입니다',
  },
  unknown_command: {
    en: 'The device does not know this command',
    ko: '디바이스가 모르는 명령입니다',
  },
  command_failed: {
    en: 'The command failed',
    ko: '명령이 실패했습니다',
  },
  deferred_too_long: {
    en: 'The application postponed the update until the deadline',
    ko: '애플리케이션이 기한까지 업데이트를 미뤘습니다',
  },
  undo_refused: {
    en: 'The device cannot go back: the previous image is no longer in its other slot, or the order has expired',
    ko: '디바이스가 이전 버전으로 되돌아갈 수 없습니다. 다른 슬롯에 이전 이미지가 없거나 명령이 만료되었습니다',
  },
  timed_out: {
    en: 'The device did not respond in time',
    ko: '제한 시간 안에 디바이스의 응답이 없었습니다',
  },
  attestation_mismatch: {
    en: 'The device reports success but runs another image',
    ko: '디바이스는 성공으로 보고했지만 다른 이미지를 실행 중입니다',
  },
  url_too_long: {
    en: 'The download address is longer than a device accepts',
    ko: '다운로드 주소가 디바이스가 받을 수 있는 길이를 넘습니다',
  },
  command_too_large: {
    en: 'The request is larger than a device accepts',
    ko: '요청이 디바이스가 받을 수 있는 크기를 넘습니다',
  },
  cannot_decrypt: {
    en: 'This firmware is sent encrypted only, and the device cannot decrypt it',
    ko: '이 펌웨어는 암호화된 상태로만 전송되며, 디바이스가 복호화를 지원하지 않습니다',
  },
  sealing_failed: {
    en: 'The firmware could not be encrypted for the device',
    ko: '디바이스에 보낼 펌웨어를 암호화하지 못했습니다',
  },
  control_group: {
    en: 'Kept without it, as the control group',
    ko: '대조군이므로 배포하지 않고 유지했습니다',
  },
  superseded: {
    en: 'Replaced by a newer deployment',
    ko: '더 새로운 배포로 대체되었습니다',
  },
  up_to_date: {
    en: 'The device already runs this image',
    ko: '디바이스가 이미 이 이미지를 실행 중입니다',
  },
  downgrade: {
    en: 'The device runs a higher security version',
    ko: '디바이스가 더 높은 보안 버전을 실행 중입니다',
  },
};

/** As messages `failure.<reason>`. */
export function failuresIn(language: Language): Record<`failure.${FailureReason}`, string> {
  const messages = Object.entries(failures).map(([reason, words]) => [`failure.${reason}`, words[language]]);
  return Object.fromEntries(messages) as Record<`failure.${FailureReason}`, string>;
}
