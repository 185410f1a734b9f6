# One of our programs on Fargate: task definition, roles with what it needs and no more, service, discovery, autoscaling.
module "roles" {
  source     = "../roles"
  name       = var.name
  cluster    = var.cluster
  secrets    = values(var.secrets)
  statements = var.statements
  volume = var.volume == null ? null : {
    file_system_arn   = var.volume.file_system_arn
    access_point_arns = [var.volume.access_point_arn]
  }
  tags = var.tags
}

resource "aws_ecs_task_definition" "main" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = module.roles.execution_arn
  task_role_arn            = module.roles.task_arn
  tags                     = var.tags
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }
  container_definitions = jsonencode([{
    name                   = "main"
    image                  = var.image
    command                = var.command
    essential              = true
    readonlyRootFilesystem = true
    linuxParameters        = { initProcessEnabled = true }
    stopTimeout            = 60
    portMappings           = [for port in distinct([var.port, var.port == 8080 ? 8081 : var.port]) : { containerPort = port }]
    environment            = [for name, value in var.environment : { name = name, value = value }]
    secrets                = [for name, arn in var.secrets : { name = name, valueFrom = arn }]
    # The ELF of a crash is read there. The image says VOLUME, or it would be root's.
    mountPoints = concat([{ sourceVolume = "tmp", containerPath = "/tmp" }], var.volume == null ? [] : [{ sourceVolume = "state", containerPath = var.volume.path }])
    healthCheck = { command = var.health_check, interval = 10, timeout = 5, retries = 3, startPeriod = 60 }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = var.cluster.log_group
        "awslogs-region"        = var.cluster.region
        "awslogs-stream-prefix" = var.discovery_name
        mode                    = "non-blocking"
      }
    }
  }])
  volume {
    name = "tmp"
  }
  dynamic "volume" {
    for_each = var.volume == null ? [] : [var.volume]
    content {
      name = "state"
      efs_volume_configuration {
        file_system_id     = volume.value.file_system_id
        transit_encryption = "ENABLED"
        authorization_config {
          access_point_id = volume.value.access_point_id
          iam             = "ENABLED"
        }
      }
    }
  }
}

resource "aws_ecs_service" "main" {
  count                              = var.started ? 1 : 0
  name                               = var.name
  cluster                            = var.cluster.arn
  task_definition                    = aws_ecs_task_definition.main.arn
  launch_type                        = "FARGATE"
  desired_count                      = var.desired
  enable_execute_command             = true
  propagate_tags                     = "SERVICE"
  deployment_minimum_healthy_percent = var.exclusive ? 0 : 100
  deployment_maximum_percent         = var.exclusive ? 100 : 200
  health_check_grace_period_seconds  = var.target_group_arn == null ? null : 60
  tags                               = var.tags
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = var.cluster.subnet_ids
    security_groups = [var.security_group_id]
  }
  service_registries {
    registry_arn = aws_service_discovery_service.main.arn
  }
  dynamic "load_balancer" {
    for_each = var.target_group_arn == null ? [] : [var.target_group_arn]
    content {
      target_group_arn = load_balancer.value
      container_name   = "main"
      container_port   = var.port
    }
  }
  lifecycle {
    # Autoscaling and the pipeline change them; the pipeline starts from the newest revision, also from one of ours.
    ignore_changes = [desired_count, task_definition]
  }
}

resource "aws_service_discovery_service" "main" {
  name = var.discovery_name
  tags = var.tags
  dns_config {
    namespace_id   = var.cluster.namespace_id
    routing_policy = "MULTIVALUE"
    dns_records {
      type = "A"
      ttl  = 5
    }
  }
}

resource "aws_appautoscaling_target" "main" {
  count              = var.started && var.autoscaling != null ? 1 : 0
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.cluster.name}/${aws_ecs_service.main[0].name}"
  min_capacity       = var.autoscaling.min
  max_capacity       = var.autoscaling.max
}

resource "aws_appautoscaling_policy" "cpu" {
  count              = var.started && var.autoscaling != null ? 1 : 0
  name               = "${var.name}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.main[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.main[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.main[0].resource_id
  target_tracking_scaling_policy_configuration {
    target_value       = var.autoscaling.cpu_percent
    scale_in_cooldown  = 300
    scale_out_cooldown = 60
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
