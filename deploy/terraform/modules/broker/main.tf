# EMQX as a fixed number of nodes. Each has its own service, name, data directory and certificate; none is ever two at once.
variable "name" {
  type = string
}
variable "nodes" {
  type = number
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
variable "domain" {
  description = "Private zone."
  type        = string
}
variable "image" {
  type = string
}
variable "cpu" {
  type = number
}
variable "memory" {
  type = number
}
variable "started" {
  type = bool
}
variable "public_names" {
  description = "In every node's certificate: the load balancer's name, and what devices call it."
  type        = list(string)
}
variable "flota_url" {
  type = string
}
variable "target_group_arn" {
  type = string
}
variable "security_group_id" {
  type = string
}
variable "file_system_id" {
  type = string
}
variable "file_system_arn" {
  type = string
}
variable "secrets" {
  description = "ARNs by name."
  type        = map(string)
}
variable "tags" {
  type = map(string)
}

locals {
  numbers = [for number in range(var.nodes) : tostring(number)]
  hosts   = { for number in local.numbers : number => "emqx-${number}.${var.domain}" }
  seeds   = join(",", [for host in values(local.hosts) : "emqx@${host}"])
}

resource "aws_efs_access_point" "node" {
  for_each       = toset(local.numbers)
  file_system_id = var.file_system_id
  tags           = merge(var.tags, { Name = "${var.name}-${each.key}" })
  posix_user {
    uid = 1000
    gid = 1000
  }
  root_directory {
    path = "/emqx-${each.key}"
    creation_info {
      owner_uid   = 1000
      owner_gid   = 1000
      permissions = "0700"
    }
  }
}

resource "aws_service_discovery_service" "node" {
  for_each = toset(local.numbers)
  name     = "emqx-${each.key}"
  tags     = var.tags
  dns_config {
    namespace_id   = var.cluster.namespace_id
    routing_policy = "MULTIVALUE"
    dns_records {
      type = "A"
      ttl  = 5
    }
  }
}

module "roles" {
  source  = "../roles"
  name    = var.name
  cluster = var.cluster
  secrets = concat([for number in local.numbers : var.secrets["emqx_token_${number}"]], [var.secrets["ca_root"], var.secrets["emqx_api_secret"], var.secrets["emqx_cookie"], var.secrets["emqx_dashboard_password"]])
  volume = {
    file_system_arn   = var.file_system_arn
    access_point_arns = [for point in aws_efs_access_point.node : point.arn]
  }
  tags = var.tags
}

resource "aws_ecs_task_definition" "node" {
  for_each                 = toset(local.numbers)
  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = module.roles.execution_arn
  task_role_arn            = module.roles.task_arn
  tags                     = var.tags
  container_definitions = jsonencode([{
    name            = "main"
    image           = var.image
    essential       = true
    stopTimeout     = 120
    linuxParameters = { initProcessEnabled = true }
    portMappings    = [for port in [8883, 18083, 4370, 5369] : { containerPort = port }]
    ulimits         = [{ name = "nofile", softLimit = 1048576, hardLimit = 1048576 }]
    mountPoints     = [{ sourceVolume = "state", containerPath = "/opt/emqx/data" }]
    environment = [for name, value in {
      FLOTA_URL         = var.flota_url
      EMQX_PUBLIC_NAMES = join(",", var.public_names)
      # A task's address is new each time; peers and devices use names.
      EMQX_CONTAINER_NAMES                                  = local.hosts[each.key]
      EMQX_CERT_DIR                                         = "/opt/emqx/data/flota-certs"
      EMQX_NODE__NAME                                       = "emqx@${local.hosts[each.key]}"
      EMQX_CLUSTER__DISCOVERY_STRATEGY                      = "static"
      EMQX_CLUSTER__STATIC__SEEDS                           = "[${local.seeds}]"
      EMQX_LISTENERS__SSL__DEFAULT__BIND                    = "0.0.0.0:8883"
      EMQX_LISTENERS__SSL__DEFAULT__SSL_OPTIONS__KEYFILE    = "/opt/emqx/data/flota-certs/key.pem"
      EMQX_LISTENERS__SSL__DEFAULT__SSL_OPTIONS__CERTFILE   = "/opt/emqx/data/flota-certs/cert.pem"
      EMQX_LISTENERS__SSL__DEFAULT__SSL_OPTIONS__CACERTFILE = "/opt/emqx/data/flota-certs/ca.pem"
      EMQX_DASHBOARD__LISTENERS__HTTP__BIND                 = "0.0.0.0:18083"
      EMQX_API_KEY__BOOTSTRAP_FILE                          = "/tmp/api_keys"
      CA_ROOT                                               = "/tmp/ca_root.pem"
    } : { name = name, value = value }]
    secrets = [for name, arn in {
      FLOTA_TOKEN       = var.secrets["emqx_token_${each.key}"]
      FLOTA_CA_ROOT     = var.secrets["ca_root"]
      FLOTA_API_SECRET  = var.secrets["emqx_api_secret"]
      EMQX_NODE__COOKIE = var.secrets["emqx_cookie"]
      # Without it anybody who reaches the API logs in as admin/public.
      EMQX_DASHBOARD__DEFAULT_PASSWORD = var.secrets["emqx_dashboard_password"]
    } : { name = name, valueFrom = arn }]
    # Fargate gives secrets as variables; the entrypoint and EMQX want these two as files.
    entryPoint = ["/bin/sh", "-c"]
    command = [join(" && ", [
      "umask 077",
      "printf '%s\\n' \"$FLOTA_CA_ROOT\" > /tmp/ca_root.pem",
      "printf 'flota:%s\\n' \"$FLOTA_API_SECRET\" > /tmp/api_keys",
      "unset FLOTA_CA_ROOT FLOTA_API_SECRET",
      "exec /usr/bin/flota-entrypoint /usr/bin/docker-entrypoint.sh /opt/emqx/bin/emqx foreground",
    ])]
    healthCheck = {
      command     = ["CMD-SHELL", "/opt/emqx/bin/emqx ctl status | grep -q 'is started'"]
      interval    = 20
      timeout     = 15
      retries     = 4
      startPeriod = 120
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = var.cluster.log_group
        "awslogs-region"        = var.cluster.region
        "awslogs-stream-prefix" = "emqx"
        mode                    = "non-blocking"
      }
    }
  }])
  volume {
    name = "state"
    efs_volume_configuration {
      file_system_id     = var.file_system_id
      transit_encryption = "ENABLED"
      authorization_config {
        access_point_id = aws_efs_access_point.node[each.key].id
        iam             = "ENABLED"
      }
    }
  }
}

resource "aws_ecs_service" "node" {
  for_each        = toset(var.started ? local.numbers : [])
  name            = "${var.name}-${each.key}"
  cluster         = var.cluster.arn
  task_definition = aws_ecs_task_definition.node[each.key].arn
  launch_type     = "FARGATE"
  desired_count   = 1
  # Stopped before its successor starts: one writer for each data directory.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  health_check_grace_period_seconds  = 180
  enable_execute_command             = true
  propagate_tags                     = "SERVICE"
  tags                               = var.tags
  network_configuration {
    # A node stays in its zone.
    subnets         = [var.cluster.subnet_ids[tonumber(each.key) % length(var.cluster.subnet_ids)]]
    security_groups = [var.security_group_id]
  }
  service_registries {
    registry_arn = aws_service_discovery_service.node[each.key].arn
  }
  load_balancer {
    target_group_arn = var.target_group_arn
    container_name   = "main"
    container_port   = 8883
  }
  lifecycle {
    # The pipeline rolls out, one node after another.
    ignore_changes = [task_definition]
  }
}

output "names" {
  value = [for number in local.numbers : "${var.name}-${number}"]
}
output "role_arns" {
  value = module.roles.arns
}
