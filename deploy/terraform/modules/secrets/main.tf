# Keys, and secrets without their values, which never pass through Terraform: make-secrets fills the random ones, an admin the others.
variable "name" {
  type = string
}
variable "broker_nodes" {
  type = number
}
variable "ca_keys" {
  type = number
}
variable "oidc" {
  type = bool
}
variable "mail" {
  type = bool
}
variable "telemetry" {
  type = bool
}
variable "encryption" {
  type = bool
}
variable "tags" {
  type = map(string)
}

locals {
  made = toset(["webhook_token", "api_token", "admin_password", "emqx_api_secret", "emqx_cookie", "emqx_dashboard_password", "ca_passphrase"])
  # One token for each broker: it is bound to the key that the broker makes.
  to_fill = toset(concat(
    ["webhook_certificate", "webhook_key", "ca_root", "ca_trust", "firmware_keys", "cdn_private_key", "admin_email"],
    var.oidc ? ["oidc_client_secret"] : [],
    var.mail ? ["smtp_url"] : [],
    var.telemetry ? ["telemetry_database_url"] : [],
    var.encryption ? ["sealing_keys"] : [],
    [for number in range(var.broker_nodes) : "emqx_token_${number}"],
  ))
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

# The account's own roles by their policies, and the two services that encrypt with it by themselves.
data "aws_iam_policy_document" "encryption" {
  #checkov:skip=CKV_AWS_109:The policy of a key: "*" is this key, and without the account's own statement nobody could change it again.
  #checkov:skip=CKV_AWS_111:As above.
  #checkov:skip=CKV_AWS_356:As above.
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
  statement {
    sid       = "Logs"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.${data.aws_region.current.id}.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:log-group:/${var.name}"]
    }
  }
  statement {
    sid       = "Alarms"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
  }
}

# Secrets, state, database, logs, images and alarms at rest.
resource "aws_kms_key" "encryption" {
  description             = "${var.name}: what is kept"
  policy                  = data.aws_iam_policy_document.encryption.json
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags
}

resource "aws_kms_alias" "encryption" {
  name          = "alias/${var.name}-encryption"
  target_key_id = aws_kms_key.encryption.key_id
}

# Keys of the issuing CAs: they sign here and cannot leave. Earlier ones stay, for their CRLs.
resource "aws_kms_key" "ca" {
  count                    = var.ca_keys
  description              = "${var.name}: key of issuing CA ${count.index + 1}"
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
  deletion_window_in_days  = 30
  tags                     = var.tags
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "ca" {
  count         = var.ca_keys
  name          = "alias/${var.name}-issuing-ca-${count.index + 1}"
  target_key_id = aws_kms_key.ca[count.index].key_id
}

resource "aws_secretsmanager_secret" "all" {
  for_each                = setunion(local.made, local.to_fill)
  name                    = "${var.name}/${each.key}"
  kms_key_id              = aws_kms_key.encryption.arn
  recovery_window_in_days = 30
  # By this make-secrets finds those that are its own.
  tags = merge(var.tags, contains(local.made, each.key) ? { FilledBy = "make-secrets" } : {})
}

output "arns" {
  value = { for name, secret in aws_secretsmanager_secret.all : name => secret.arn }
}
output "to_fill" {
  value = [for name in sort(tolist(local.to_fill)) : "${var.name}/${name}"]
}
output "encryption_key_arn" {
  value = aws_kms_key.encryption.arn
}
output "ca_key_arns" {
  value = aws_kms_key.ca[*].arn
}
