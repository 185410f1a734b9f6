# Who may talk to whom. Nothing inside reaches the internet: AWS itself is reached through endpoints.
locals {
  parts = toset(["console", "mqtt", "webhook", "ca", "broker", "database", "state"])

  # from → to, port
  allowed = {
    console_webhook  = { from = "console", to = "webhook", port = 8080 }
    mqtt_broker      = { from = "mqtt", to = "broker", port = 8883 }
    broker_events    = { from = "broker", to = "webhook", port = 8081 }
    broker_enrolment = { from = "broker", to = "webhook", port = 8080 }
    webhook_broker   = { from = "webhook", to = "broker", port = 18083 }
    webhook_ca       = { from = "webhook", to = "ca", port = 8443 }
    webhook_database = { from = "webhook", to = "database", port = 5432 }
    broker_cluster   = { from = "broker", to = "broker", port = 4370 }
    broker_rpc       = { from = "broker", to = "broker", port = 5370 }
    ca_state         = { from = "ca", to = "state", port = 2049 }
    broker_state     = { from = "broker", to = "state", port = 2049 }
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
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "allowed" {
  for_each                     = local.allowed
  security_group_id            = aws_security_group.parts[each.value.from].id
  referenced_security_group_id = aws_security_group.parts[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "console" {
  for_each          = { for pair in setproduct(var.console_networks, [80, 443]) : "${pair[0]}-${pair[1]}" => pair }
  security_group_id = aws_security_group.parts["console"].id
  cidr_ipv4         = each.value[0]
  ip_protocol       = "tcp"
  from_port         = each.value[1]
  to_port           = each.value[1]
}

resource "aws_vpc_security_group_ingress_rule" "mqtt" {
  security_group_id = aws_security_group.parts["mqtt"].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 8883
  to_port           = 8883
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  for_each                     = local.callers
  security_group_id            = aws_security_group.parts[each.key].id
  referenced_security_group_id = module.network.endpoint_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each          = local.callers
  security_group_id = aws_security_group.parts[each.key].id
  prefix_list_id    = module.network.s3_prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
