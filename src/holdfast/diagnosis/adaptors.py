"""Adaptors that a name may have meant."""

from __future__ import annotations

#: Short names of the adaptors that OpenFn publishes and that are used most.
ADAPTORS = (
    "asana", "azure-storage", "cartodb", "chatgpt", "claude", "collections", "common", "commcare",
    "dhis2", "ethercis", "facebook", "fhir", "fhir-4", "ftp", "gmail", "godata", "googledrive",
    "googlesheets", "http", "khanacademy", "kobotoolbox", "magpi", "mailchimp", "mailgun",
    "maximo", "mogli", "mongodb", "msgraph", "mssql", "mysql", "ocl", "odk", "odoo", "openfn",
    "openhim", "openimis", "openlmis", "openmrs", "openspp", "postgresql", "primero", "progres",
    "rapidpro", "redis", "resourcemap", "salesforce", "satusehat", "senaite", "sftp", "slack",
    "stripe", "surveycto", "telerivet", "template", "twilio", "vtiger", "zoho",
)  # fmt: skip
