"""Registers a firmware and deploys it to one device, by a client that openapi-python-client has generated. Prints the deployment's id."""

import sys
from uuid import UUID

import httpx
from flota_client import AuthenticatedClient
from flota_client.api.deployments import post_deployments
from flota_client.api.firmware import post_firmwares_metadata, post_s3_presigned_upload
from flota_client.models import (
    PostDeploymentsBody,
    PostFirmwaresMetadataBody,
    PostS3PresignedUploadBody,
    Problem,
)

url, token, path, version, device = sys.argv[1:]
flota = AuthenticatedClient(base_url=url, token=token)


def insist(answer):
    if answer is None or isinstance(answer, Problem):
        sys.exit(f"{answer.code}: {answer.detail}" if answer else "no answer")
    return answer


file_name = "generated.bin"
upload = insist(
    post_s3_presigned_upload.sync(
        client=flota, body=PostS3PresignedUploadBody(version=version, file_name=file_name)
    )
)
with open(path, "rb") as file:
    httpx.put(upload.url, headers=upload.headers.to_dict(), content=file.read()).raise_for_status()
firmware = insist(
    post_firmwares_metadata.sync(
        client=flota,
        body=PostFirmwaresMetadataBody(
            version=version, file_name=file_name, s_3_path=upload.s_3_path, release_note="From Python"
        ),
    )
)
deployment = insist(
    post_deployments.sync(
        client=flota,
        body=PostDeploymentsBody(firmware_id=UUID(str(firmware.id)), devices=[device]),
    )
)
print(deployment.id)
