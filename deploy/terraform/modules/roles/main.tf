# The two roles of a task on ECS: to start it, and for what runs in it. Each may do what is named here and no more.
variable "name" {
  type = string
}
variable "cluster" {
  type = object({
    arn           = string
    name          = string
    namespace_id  = string
    subnet_ids    = list(string)
    log_group     = string
    log_group_arn = string
    region        = string
    decrypt_key   = string
  })
}
variable "secrets" {
  description = "ARNs of those that its containers read."
  type        = list(string)
}
variable "volume" {
  description = "What it mounts, through these access points only; null for nothing."
  type = object({
    file_system_arn   = string
    access_point_arns = list(string)
  })
  default = null
}
variable "statements" {
  description = "What the program may do in AWS."
  type = list(object({
    actions   = list(string)
    resources = list(string)
  }))
  default = []
}
variable "tags" {
  type = map(string)
}

data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# What ECS does before the container runs: pull, log, read its secrets.
resource "aws_iam_role" "execution" {
  name_prefix        = "${var.name}-start-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

data "aws_iam_policy_document" "execution" {
  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  statement {
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
    resources = ["arn:${data.aws_partition.current.partition}:ecr:${var.cluster.region}:${data.aws_caller_identity.current.account_id}:repository/*"]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Application"
      values   = [var.tags["Application"]]
    }
  }
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${var.cluster.log_group_arn}:*"]
  }
  dynamic "statement" {
    for_each = length(var.secrets) == 0 ? [] : [1]
    content {
      actions   = ["secretsmanager:GetSecretValue"]
      resources = var.secrets
    }
  }
  statement {
    actions   = ["kms:Decrypt"]
    resources = [var.cluster.decrypt_key]
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# What the program itself may do.
resource "aws_iam_role" "task" {
  name_prefix        = "${var.name}-run-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

data "aws_iam_policy_document" "task" {
  dynamic "statement" {
    for_each = var.statements
    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
  dynamic "statement" {
    for_each = var.volume == null ? [] : [var.volume]
    content {
      actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
      resources = [statement.value.file_system_arn]
      condition {
        test     = "StringEquals"
        variable = "elasticfilesystem:AccessPointArn"
        values   = statement.value.access_point_arns
      }
    }
  }
  # aws ecs execute-command, for who may use that.
  statement {
    actions   = ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "task" {
  name   = "run"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}

output "execution_arn" {
  value = aws_iam_role.execution.arn
}
output "task_arn" {
  value = aws_iam_role.task.arn
}
output "arns" {
  value = [aws_iam_role.execution.arn, aws_iam_role.task.arn]
}
