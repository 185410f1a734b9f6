variable "name" {
  type = string
}
variable "subnet_ids" {
  type = list(string)
}
variable "security_group_id" {
  type = string
}
variable "kms_key_arn" {
  type = string
}
variable "settings" {
  type = object({
    instance_class = string
    storage_gb     = number
    max_storage_gb = number
    multi_az       = bool
    backup_days    = number
  })
}
variable "protect" {
  type = bool
}
variable "tags" {
  type = map(string)
}

resource "aws_db_subnet_group" "main" {
  name       = var.name
  subnet_ids = var.subnet_ids
  tags       = var.tags
}

resource "aws_db_parameter_group" "main" {
  name_prefix = "${var.name}-"
  family      = "postgres17"
  tags        = var.tags
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  # A transaction that its copy has forgotten must not hold rows of the fleet.
  parameter {
    name  = "idle_in_transaction_session_timeout"
    value = "60000"
  }
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }
  lifecycle {
    create_before_destroy = true
  }
}

# Its first password is RDS's own secret, which nobody reads; make-secrets sets one that does not change by itself, which copies that run
# would not survive. So it is never in the state.
resource "aws_db_instance" "main" {
  identifier                      = var.name
  engine                          = "postgres"
  engine_version                  = "17"
  instance_class                  = var.settings.instance_class
  allocated_storage               = var.settings.storage_gb
  max_allocated_storage           = var.settings.max_storage_gb
  storage_type                    = "gp3"
  storage_encrypted               = true
  kms_key_id                      = var.kms_key_arn
  db_name                         = "flota"
  username                        = "flota"
  manage_master_user_password     = true
  multi_az                        = var.settings.multi_az
  db_subnet_group_name            = aws_db_subnet_group.main.name
  vpc_security_group_ids          = [var.security_group_id]
  parameter_group_name            = aws_db_parameter_group.main.name
  publicly_accessible             = false
  backup_retention_period         = var.settings.backup_days
  backup_window                   = "02:00-03:00"
  maintenance_window              = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot           = true
  auto_minor_version_upgrade      = true
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.kms_key_arn
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  deletion_protection             = var.protect
  skip_final_snapshot             = !var.protect
  final_snapshot_identifier       = var.protect ? "${var.name}-final" : null
  tags                            = var.tags
  lifecycle {
    ignore_changes = [manage_master_user_password]
  }
}

resource "aws_secretsmanager_secret" "url" {
  name       = "${var.name}/database_url"
  kms_key_id = var.kms_key_arn
  tags       = var.tags
}

output "id" {
  value = aws_db_instance.main.identifier
}
output "url_secret_arn" {
  value = aws_secretsmanager_secret.url.arn
}
