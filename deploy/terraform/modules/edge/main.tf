# Two ways in: HTTPS for admins, and MQTT over TLS, which is passed through so that EMQX sees the device's certificate.
variable "name" {
  type = string
}
variable "vpc_id" {
  type = string
}
variable "public_subnet_ids" {
  type = list(string)
}
variable "certificate_arn" {
  type = string
}
variable "alb_security_group" {
  type = string
}
variable "nlb_security_group" {
  type = string
}
variable "protect" {
  type = bool
}
variable "tags" {
  type = map(string)
}

resource "aws_lb" "console" {
  name                       = "${var.name}-console"
  load_balancer_type         = "application"
  subnets                    = var.public_subnet_ids
  security_groups            = [var.alb_security_group]
  drop_invalid_header_fields = true
  # Server-sent events are silent for long.
  idle_timeout               = 300
  enable_deletion_protection = var.protect
  tags                       = var.tags
}

resource "aws_lb_target_group" "console" {
  name                 = "${var.name}-console"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = 8080
  deregistration_delay = 30
  tags                 = var.tags
  health_check {
    path                = "/readyz"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.console.arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn
  tags              = var.tags
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.console.arn
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.console.arn
  protocol          = "HTTP"
  port              = 80
  tags              = var.tags
  default_action {
    type = "redirect"
    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb" "mqtt" {
  name                             = "${var.name}-mqtt"
  load_balancer_type               = "network"
  subnets                          = var.public_subnet_ids
  security_groups                  = [var.nlb_security_group]
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = var.protect
  tags                             = var.tags
}

resource "aws_lb_target_group" "mqtt" {
  name                   = "${var.name}-mqtt"
  vpc_id                 = var.vpc_id
  target_type            = "ip"
  protocol               = "TCP"
  port                   = 8883
  deregistration_delay   = 30
  connection_termination = true
  preserve_client_ip     = true
  tags                   = var.tags
  health_check {
    protocol            = "TCP"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "mqtt" {
  load_balancer_arn = aws_lb.mqtt.arn
  protocol          = "TCP"
  port              = 8883
  tags              = var.tags
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.mqtt.arn
  }
}

output "console_dns_name" {
  value = aws_lb.console.dns_name
}
output "console_suffix" {
  value = aws_lb.console.arn_suffix
}
output "console_target_group_arn" {
  # Its listener must be there before a service may register.
  value      = aws_lb_target_group.console.arn
  depends_on = [aws_lb_listener.https]
}
output "console_target_group_suffix" {
  value = aws_lb_target_group.console.arn_suffix
}
output "mqtt_dns_name" {
  value = aws_lb.mqtt.dns_name
}
output "mqtt_suffix" {
  value = aws_lb.mqtt.arn_suffix
}
output "mqtt_target_group_arn" {
  value      = aws_lb_target_group.mqtt.arn
  depends_on = [aws_lb_listener.mqtt]
}
output "mqtt_target_group_suffix" {
  value = aws_lb_target_group.mqtt.arn_suffix
}
