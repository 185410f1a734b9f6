# Who may talk to whom. Nothing inside reaches the internet: AWS itself is reached through endpoints.
locals {
  parts = toset(["console", "mqtt", "webhook", "ca", "broker", "database", "state"])

  # from → to, port, what passes
  allowed = {
    console_webhook  = { from = "console", to = "webhook", port = 8080, what = "console and REST API" }
    mqtt_broker      = { from = "mqtt", to = "broker", port = 8883, what = "MQTT over TLS, passed through" }
    broker_events    = { from = "broker", to = "webhook", port = 8081, what = "what the rules post" }
    broker_enrolment = { from = "broker", to = "webhook", port = 8080, what = "its certificate, and the CRL" }
    webhook_broker   = { from = "webhook", to = "broker", port = 18083, what = "publish API; no other part reaches it or the dashboard" }
    webhook_ca       = { from = "webhook", to = "ca", port = 8443, what = "certificates, over mutual TLS" }
    webhook_database = { from = "webhook", to = "database", port = 5432, what = "PostgreSQL over TLS" }
    broker_cluster   = { from = "broker", to = "broker", port = 4370, what = "distribution between nodes" }
    broker_rpc       = { from = "broker", to = "broker", port = 5369, what = "RPC between nodes" }
    ca_state         = { from = "ca", to = "state", port = 2049, what = "its directory" }
    broker_state     = { from = "broker", to = "state", port = 2049, what = "its data" }
  }
  # Those that call AWS.
  callers = toset(["webhook", "ca", "broker"])
}

resource "aws_security_group" "parts" {
  for_each    = local.parts
  name        = "${var.name}-${each.key}"
  description = "Flota: ${each.key}"
  vpc_id      = module.network.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_vpc_security_group_ingress_rule" "allowed" {
  for_each                     = local.allowed
  security_group_id            = aws_security_group.parts[each.value.to].id
  referenced_security_group_id = aws_security_group.parts[each.value.from].id
  description                  = "From ${each.value.from}: ${each.value.what}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "allowed" {
  for_each                     = local.allowed
  security_group_id            = aws_security_group.parts[each.value.from].id
  referenced_security_group_id = aws_security_group.parts[each.value.to].id
  description                  = "To ${each.value.to}: ${each.value.what}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "console" {
  for_each          = { for pair in setproduct(var.console_networks, [80, 443]) : "${pair[0]}-${pair[1]}" => pair }
  security_group_id = aws_security_group.parts["console"].id
  cidr_ipv4         = each.value[0]
  description       = each.value[1] == 80 ? "Redirected to HTTPS" : "Console and REST API"
  ip_protocol       = "tcp"
  from_port         = each.value[1]
  to_port           = each.value[1]
}

resource "aws_vpc_security_group_ingress_rule" "mqtt" {
  security_group_id = aws_security_group.parts["mqtt"].id
  cidr_ipv4         = "0.0.0.0/0"
  description       = "Devices, wherever they are; the broker asks each for its certificate"
  ip_protocol       = "tcp"
  from_port         = 8883
  to_port           = 8883
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  for_each                     = local.callers
  security_group_id            = aws_security_group.parts[each.key].id
  referenced_security_group_id = module.network.endpoint_security_group_id
  description                  = "AWS, through its endpoints"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "mail" {
  count                        = var.mail == null ? 0 : 1
  security_group_id            = aws_security_group.parts["webhook"].id
  referenced_security_group_id = module.network.endpoint_security_group_id
  description                  = "Mail, through SES's endpoint"
  ip_protocol                  = "tcp"
  from_port                    = 587
  to_port                      = 587
}

resource "aws_vpc_security_group_egress_rule" "telemetry" {
  count             = var.telemetry_database == null ? 0 : 1
  security_group_id = aws_security_group.parts["webhook"].id
  cidr_ipv4         = var.telemetry_database.cidr
  description       = "Telemetry's PostgreSQL"
  ip_protocol       = "tcp"
  from_port         = var.telemetry_database.port
  to_port           = var.telemetry_database.port
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each          = local.callers
  security_group_id = aws_security_group.parts[each.key].id
  prefix_list_id    = module.network.s3_prefix_list_id
  description       = "S3, through its gateway"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
