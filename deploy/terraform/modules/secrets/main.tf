# Keys and secrets. Random ones are made here (and are in the state: keep that encrypted); the others are placeholders to be filled.
variable "name" {
  type = string
}
variable "broker_nodes" {
  type = number
}
variable "ca_keys" {
  type = number
}
variable "tags" {
  type = map(string)
}

locals {
  made = toset(["webhook_token", "api_token", "admin_password", "emqx_api_secret", "emqx_cookie", "ca_passphrase"])
  # One token for each broker: it is bound to the key that the broker makes.
  to_fill = toset(concat(
    ["webhook_certificate", "webhook_key", "ca_root", "ca_trust", "firmware_keys", "cdn_private_key", "admin_email"],
    [for number in range(var.broker_nodes) : "emqx_token_${number}"],
  ))
}

# Secrets, state and database at rest.
resource "aws_kms_key" "encryption" {
  description             = "${var.name}: secrets, state, database"
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

resource "random_password" "made" {
  for_each = local.made
  length   = 40
  special  = false
}

resource "aws_secretsmanager_secret" "all" {
  for_each                = setunion(local.made, local.to_fill)
  name                    = "${var.name}/${each.key}"
  kms_key_id              = aws_kms_key.encryption.arn
  recovery_window_in_days = 30
  tags                    = var.tags
}

resource "aws_secretsmanager_secret_version" "made" {
  for_each      = local.made
  secret_id     = aws_secretsmanager_secret.all[each.key].id
  secret_string = random_password.made[each.key].result
  # Whoever rotates it writes a new version, which stays.
  lifecycle {
    ignore_changes = [secret_string]
  }
}

resource "aws_secretsmanager_secret_version" "placeholder" {
  for_each      = local.to_fill
  secret_id     = aws_secretsmanager_secret.all[each.key].id
  secret_string = "to be filled"
  lifecycle {
    ignore_changes = [secret_string]
  }
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
