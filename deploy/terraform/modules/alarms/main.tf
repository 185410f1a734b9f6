# What wakes somebody. deploy/OPERATIONS.md says what to do; the alarms of Prometheus are finer, where that is run too.
variable "name" {
  type = string
}
variable "email" {
  type = string
}
variable "alb_suffix" {
  type = string
}
variable "console_group_suffix" {
  type = string
}
variable "nlb_suffix" {
  type = string
}
variable "mqtt_group_suffix" {
  type = string
}
variable "database_id" {
  type = string
}
variable "database_storage_gb" {
  type = number
}
variable "cluster_name" {
  type = string
}
variable "services" {
  description = "Service → tasks that must run."
  type        = map(number)
}
variable "broker_nodes" {
  type = number
}
variable "kms_key_arn" {
  type = string
}
variable "log_group" {
  type = string
}
variable "tags" {
  type = map(string)
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_subscription" "email" {
  count     = var.email == null ? 0 : 1
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.email
}

locals {
  console  = { LoadBalancer = var.alb_suffix, TargetGroup = var.console_group_suffix }
  mqtt     = { LoadBalancer = var.nlb_suffix, TargetGroup = var.mqtt_group_suffix }
  database = { DBInstanceIdentifier = var.database_id }
  gb       = 1024 * 1024 * 1024

  alarms = merge({
    webhook-gone      = { namespace = "AWS/ApplicationELB", metric = "HealthyHostCount", dimensions = local.console, statistic = "Minimum", operator = "LessThanThreshold", threshold = 1, minutes = 2, missing = "breaching" }
    requests-failing  = { namespace = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = local.console, statistic = "Sum", operator = "GreaterThanThreshold", threshold = 50, minutes = 5, missing = "notBreaching" }
    broker-down       = { namespace = "AWS/NetworkELB", metric = "HealthyHostCount", dimensions = local.mqtt, statistic = "Minimum", operator = "LessThanThreshold", threshold = var.broker_nodes, minutes = 3, missing = "breaching" }
    database-cpu      = { namespace = "AWS/RDS", metric = "CPUUtilization", dimensions = local.database, statistic = "Average", operator = "GreaterThanThreshold", threshold = 80, minutes = 15, missing = "breaching" }
    database-storage  = { namespace = "AWS/RDS", metric = "FreeStorageSpace", dimensions = local.database, statistic = "Minimum", operator = "LessThanThreshold", threshold = var.database_storage_gb * local.gb / 10, minutes = 5, missing = "missing" }
    database-sessions = { namespace = "AWS/RDS", metric = "DatabaseConnections", dimensions = local.database, statistic = "Maximum", operator = "GreaterThanThreshold", threshold = 400, minutes = 5, missing = "missing" }
    errors-in-logs    = { namespace = "Flota/${var.name}", metric = "Errors", dimensions = {}, statistic = "Sum", operator = "GreaterThanThreshold", threshold = 20, minutes = 5, missing = "notBreaching" }
    ca-needs-care     = { namespace = "Flota/${var.name}", metric = "CaNeedsCare", dimensions = {}, statistic = "Sum", operator = "GreaterThanThreshold", threshold = 0, minutes = 1, missing = "notBreaching" }
    }, {
    for service, count in var.services : "${service}-tasks" => { namespace = "ECS/ContainerInsights", metric = "RunningTaskCount", dimensions = { ClusterName = var.cluster_name, ServiceName = service }, statistic = "Minimum", operator = "LessThanThreshold", threshold = count, minutes = 5, missing = "breaching" }
  })
}

resource "aws_cloudwatch_metric_alarm" "all" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.minutes
  datapoints_to_alarm = each.value.minutes
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = var.tags
}

# Our programs write JSON lines.
resource "aws_cloudwatch_log_metric_filter" "errors" {
  name           = "${var.name}-errors"
  log_group_name = var.log_group
  pattern        = "{ $.level = \"error\" }"
  metric_transformation {
    namespace     = "Flota/${var.name}"
    name          = "Errors"
    value         = "1"
    default_value = "0"
  }
}

# Told by the CA when it starts and once a day.
resource "aws_cloudwatch_log_metric_filter" "ca" {
  name           = "${var.name}-ca"
  log_group_name = var.log_group
  pattern        = "{ ($.message = \"daily work failed\") || ($.message = \"the issuing CA ends soon\") }"
  metric_transformation {
    namespace     = "Flota/${var.name}"
    name          = "CaNeedsCare"
    value         = "1"
    default_value = "0"
  }
}
