# What containers keep: the CA's records and the brokers' data. In a file system, for a Fargate task's own volume ends with the task.
resource "aws_efs_file_system" "state" {
  encrypted        = true
  kms_key_id       = module.secrets.encryption_key_arn
  throughput_mode  = "elastic"
  performance_mode = "generalPurpose"
  tags             = merge(local.tags, { Name = "${var.name}-state" })
}

resource "aws_efs_backup_policy" "state" {
  file_system_id = aws_efs_file_system.state.id
  backup_policy {
    status = "ENABLED"
  }
}

# Without one, whoever reaches a mount target mounts all of it, and as root: a broker's container the CA's directory. The roles say through which
# access point each may.
data "aws_iam_policy_document" "state" {
  statement {
    sid       = "ThroughAccessPoints"
    effect    = "Deny"
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", "elasticfilesystem:ClientRootAccess"]
    resources = [aws_efs_file_system.state.arn]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "StringNotLike"
      variable = "elasticfilesystem:AccessPointArn"
      values   = ["*:access-point/*"]
    }
  }
  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", "elasticfilesystem:ClientRootAccess"]
    resources = [aws_efs_file_system.state.arn]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_efs_file_system_policy" "state" {
  file_system_id = aws_efs_file_system.state.id
  policy         = data.aws_iam_policy_document.state.json
}

resource "aws_efs_mount_target" "state" {
  count           = var.zones
  file_system_id  = aws_efs_file_system.state.id
  subnet_id       = module.network.task_subnet_ids[count.index]
  security_groups = [aws_security_group.parts["state"].id]
}

resource "aws_efs_access_point" "ca" {
  file_system_id = aws_efs_file_system.state.id
  tags           = merge(local.tags, { Name = "${var.name}-ca" })
  posix_user {
    uid = 1000
    gid = 1000
  }
  root_directory {
    path = "/ca"
    creation_info {
      owner_uid   = 1000
      owner_gid   = 1000
      permissions = "0700"
    }
  }
}
