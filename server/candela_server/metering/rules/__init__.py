"""The thinking of the metering room: values in, values out."""
