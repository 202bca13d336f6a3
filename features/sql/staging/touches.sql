-- one row per touch before :as_of; people held back as control were not touched
select
    entity_id,
    cast(day_number(local_at) as int) as day,
    campaign_id,
    channel
from contacts
where lower(arm) <> 'control'
