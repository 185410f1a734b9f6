# Plans against a provider that is asked for nothing but its schema: three sizes, and what must hold in each.
mock_provider "aws" {
  mock_data "aws_region" {
    defaults = {
      id = "eu-central-1"
    }
  }
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "111122223333"
    }
  }
  mock_data "aws_partition" {
    defaults = {
      partition = "aws"
    }
  }
  mock_data "aws_availability_zones" {
    defaults = {
      names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    }
  }
  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    }
  }
}

variables {
  console_domain  = "flota.example.com"
  certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
  mqtt_domain     = "mqtt.example.com"
  cdn_public_key  = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
  image_tag       = "0.1.0"
}

run "small" {
  command = plan
  variables {
    webhook  = { cpu = 512, memory = 1024, min = 2, max = 4 }
    broker   = { cpu = 1024, memory = 2048, nodes = 1 }
    database = { instance_class = "db.t4g.medium", storage_gb = 20, max_storage_gb = 100, multi_az = false }
  }
  assert {
    condition     = length(module.alarms) == 0 && length(module.pipeline) == 0
    error_message = "Before it is started nothing is watched, and without a repository there is no pipeline."
  }
  assert {
    condition     = length(output.secrets_to_fill) == 8
    error_message = "Seven secrets and a token for the one node."
  }
}

run "large" {
  command = plan
  variables {
    started            = true
    alarm_email        = "operations@example.com"
    github_repository  = "example/flota"
    ca_keys            = 2
    mail               = { from = "flota@example.com" }
    telemetry_database = { cidr = "10.0.8.0/24" }
    encryption         = true
    webhook            = { cpu = 2048, memory = 4096, min = 12, max = 24 }
    broker             = { cpu = 16384, memory = 65536, nodes = 7 }
    database           = { instance_class = "db.m7g.4xlarge", storage_gb = 500, max_storage_gb = 4000, multi_az = true }
  }
  assert {
    condition     = length(output.secrets_to_fill) == 17
    error_message = "A token for each node, the mail server's login, telemetry's, and master keys."
  }
  assert {
    condition     = length(module.alarms) == 1 && length(module.pipeline) == 1
    error_message = "Alarms and a pipeline."
  }
  assert {
    condition     = length(aws_efs_mount_target.state) == 2
    error_message = "What is kept is reached from both zones."
  }
  assert {
    condition = alltrue([
      for rule in concat(
        values(aws_vpc_security_group_ingress_rule.allowed), values(aws_vpc_security_group_egress_rule.allowed),
        values(aws_vpc_security_group_ingress_rule.console), [aws_vpc_security_group_ingress_rule.mqtt],
        values(aws_vpc_security_group_egress_rule.endpoints), values(aws_vpc_security_group_egress_rule.s3),
        aws_vpc_security_group_egress_rule.mail, aws_vpc_security_group_egress_rule.telemetry,
      ) : length(coalesce(rule.description, "-")) > 3
    ])
    error_message = "A security group rule has no description."
  }
  assert {
    condition = alltrue([
      for name, rule in aws_vpc_security_group_ingress_rule.allowed : rule.from_port != 18083 || name == "webhook_broker"
    ])
    error_message = "The broker's API and dashboard are for the webhook alone."
  }
  assert {
    condition     = toset([for rule in concat(values(aws_vpc_security_group_ingress_rule.console), [aws_vpc_security_group_ingress_rule.mqtt]) : rule.from_port]) == toset([80, 443, 8883])
    error_message = "From outside only the load balancers' ports are reached."
  }
}

run "single_zone" {
  command = plan
  variables {
    started  = true
    zones    = 1
    broker   = { nodes = 2 }
    database = { multi_az = false }
  }
  assert {
    condition     = length(aws_efs_mount_target.state) == 1
    error_message = "What is kept is where the tasks are."
  }
}

run "refuses_what_it_cannot_make" {
  command = plan
  variables {
    zones     = 3
    image_tag = "latest"
    cidr      = "10.0.0.0/24"
  }
  expect_failures = [var.zones, var.image_tag, var.cidr]
}
