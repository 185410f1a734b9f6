variable "name" {
  type = string
}
variable "discovery_name" {
  description = "First label of its name in the private zone."
  type        = string
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
variable "image" {
  type = string
}
variable "command" {
  type = list(string)
}
variable "cpu" {
  type = number
  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "A CPU size of Fargate."
  }
}
variable "memory" {
  type = number
  validation {
    condition     = var.memory >= 512 && var.memory % 512 == 0
    error_message = "MiB, in steps of 512."
  }
}
variable "security_group_id" {
  type = string
}
variable "started" {
  description = "False: everything but the service itself."
  type        = bool
}
variable "desired" {
  description = "Tasks at first; what autoscaling makes of them stays."
  type        = number
}
variable "exclusive" {
  description = "Never two at once, not even while a new version starts: its volume has one writer."
  type        = bool
  default     = false
}
variable "autoscaling" {
  type = object({
    min         = number
    max         = number
    cpu_percent = number
  })
  default = null
}
variable "target_group_arn" {
  type    = string
  default = null
}
variable "port" {
  type = number
}
variable "health_check" {
  type = list(string)
}
variable "environment" {
  type    = map(string)
  default = {}
}
variable "secrets" {
  description = "Variable → ARN."
  type        = map(string)
  default     = {}
}
variable "volume" {
  type = object({
    file_system_id   = string
    file_system_arn  = string
    access_point_id  = string
    access_point_arn = string
    path             = string
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
