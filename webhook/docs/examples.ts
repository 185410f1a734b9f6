/** A body for each operation that takes JSON, as somebody would send it; `wire.test.ts` sends every one of them. */
const region = '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1';
const firmware = 'a3c5a7f0-54a4-4d35-9d3f-6a6f5f6d7b10';
const file = { version: '1.4.0', fileName: 'thermostat.bin' };
const deployment = {
  firmwareId: firmware,
  regions: [region],
  policy: { waves: [{ count: 1, soakMs: 600_000 }, { percent: 25, soakMs: 1_800_000 }, { percent: 100 }] },
};
const csr =
  '-----BEGIN CERTIFICATE REQUEST-----\nMIHZMIGAAgEAMB4xHDAaBgNVBAMME2Jl…\n-----END CERTIFICATE REQUEST-----';

export const examples: Record<string, unknown> = {
  postLogin: { email: 'admin@example.com', password: 'correct horse battery staple' },
  postMePassword: {
    currentPassword: 'correct horse battery staple',
    newPassword: 'another long passphrase',
  },
  postMeTotp: { password: 'correct horse battery staple' },
  postMeTotpConfirm: { code: '123456' },
  postMeTotpDisable: { password: 'correct horse battery staple', code: '123456' },
  postUsers: { email: 'operator@example.com', password: 'a long passphrase', role: 'operator' },
  patchUsersById: { role: 'viewer' },
  postTokens: { name: 'nightly build', role: 'operator', scopes: ['firmware:write'], expiresAt: null },
  postMeTokens: { name: 'laptop', scopes: ['firmware:write', 'deployments:write'] },
  postS3PresignedUpload: file,
  postUploads: { ...file, sizeBytes: 12_345_678, sha256: 'a'.repeat(64) },
  postUploadsByIdParts: { numbers: [1, 2, 3] },
  postFirmwaresMetadata: {
    ...file,
    s3Path: '1.4.0/2f4c2f62-7a0a-4d0e-9f7e-2f3b0a5f7c55/thermostat.bin',
    releaseNote: 'The display keeps its brightness after a restart.',
    hardware: 'esp32-s3',
  },
  putFirmwareByIdManifest: {
    manifest: 'eyJhbGciOiJFUzI1NiIsImtpZCI6ImtleS0xIn0.eyJjb21wb25lbnQiOiJtYWluIn0.c2ln',
  },
  postFirmwareByIdPatches: { from: [firmware] },
  putFirmwareByIdPatchesManifest: {
    base: 'a'.repeat(64),
    manifest: 'eyJhbGciOiJFUzI1NiIsImtpZCI6ImtleS0xIn0.eyJjb21wb25lbnQiOiJtYWluIn0.c2ln',
  },
  postFirmwareByIdElfPresignedUpload: { fileName: 'thermostat.elf' },
  postFirmwareByIdElf: { s3Path: `elf/${firmware}/2f4c2f62-7a0a-4d0e-9f7e-2f3b0a5f7c55/thermostat.elf` },
  postDevices: { id: 'pump-17', hardware: 'esp32-s3', name: 'Pump 17', tags: ['pilot'] },
  patchDevicesById: { name: 'Pump 17, north' },
  postDevicesByIdCommands: { command: 'identify', args: { seconds: 5 } },
  postRegions: { name: 'Jeju Island', timeZone: 'Asia/Seoul' },
  patchRegionsById: { name: 'Jeju' },
  postRegionsByIdMoveDevices: { to: null },
  postDivisions: { name: 'Retail' },
  patchDivisionsById: { name: 'Stores' },
  postDivisionsByIdMoveDevices: { to: null },
  postGroups: { name: 'Pilots', query: 'tag = pilot and online = yes' },
  patchGroupsById: { name: 'Pilots of Jeju' },
  postJobsTag: { query: 'tag = pilot', add: ['wave-1'] },
  postJobsMove: { query: 'tag = pilot', region: null },
  postJobsPin: { query: 'tag = pilot', version: '1.4.0' },
  postJobsUnpin: { query: 'tag = pilot' },
  postJobsChannel: { query: 'tag = pilot', channel: 'beta' },
  postJobsCommand: { devices: ['pump-17'], command: 'identify' },
  postJobsBan: { devices: ['pump-17'], reason: 'Stolen' },
  postDeploymentsDryRun: deployment,
  postDeployments: deployment,
  postDeploymentsByIdUndo: { others: true },
  postDeploymentsByIdOverrideFreeze: { reason: 'Security fix, agreed with the customer' },
  putEncryption: { hardware: ['esp32-s3'] },
  putApprovalRules: { rules: [{ hardware: null, aboveDevices: 100 }] },
  postDeploymentsByIdApprove: { digest: 'a'.repeat(64), reason: 'Tested in the lab' },
  postDeploymentsByIdRefuse: { reason: 'Not before the weekend' },
  postFreezes: {
    name: 'Christmas',
    firstDay: '2026-12-24',
    lastDay: '2027-01-02',
    timeZone: 'Europe/Madrid',
  },
  postPolicies: { name: 'Careful', policy: { waves: [{ count: 1, soakMs: 600_000 }, { percent: 100 }] } },
  patchPoliciesById: { name: 'Very careful' },
  putClaims: { owner: 'fleet', kind: 'region', name: 'Jeju Island', subject: region },
  postIssueCert: { csr },
  postCertificatesTokens: { profile: 'device', commonName: 'pump-17' },
  postCertificates: {
    certificate: '-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU…\n-----END CERTIFICATE-----',
  },
  postCertificatesBySerialRevoke: { reason: 'keyCompromise' },
  postCertificatesGrants: { device: 'pump-17' },
  postNotificationsChannels: { kind: 'webhook', name: 'Pager', url: 'https://pager.example.com/flota' },
  patchNotificationsChannelsById: { name: 'Pager of the night shift' },
  postNotificationsRules: {
    name: 'Night watch',
    kinds: ['deployment_halted', 'dead_letters'],
    minSeverity: 'warning',
    quietHours: { from: '22:00', to: '06:30', timeZone: 'Asia/Seoul' },
    channels: [region],
  },
  patchNotificationsRulesById: { enabled: false },
  postVulnerabilitiesFeed: {
    advisories: [
      {
        id: 'OSV-2024-0001',
        modified: '2024-08-30T00:00:00Z',
        aliases: ['CVE-2024-45157'],
        summary: 'Weak generator of random numbers',
        affected: [
          {
            package: { ecosystem: 'OSS-Fuzz', name: 'mbedtls' },
            ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '3.6.1' }] }],
          },
        ],
      },
    ],
  },
  postVulnerabilitiesByIdStatements: {
    firmwareId: firmware,
    status: 'not_affected',
    justification: 'vulnerable_code_not_present',
    note: 'Built without the generator.',
  },
  postBans: { device: 'pump-17', reason: 'Stolen' },
};
