-- one row per device with acts of nobody before :as_of, with the day of the first of them
select
    device_id,
    min(cast(day_number(local_at) as int)) as day
from anonymous_events
where device_id is not null
group by device_id
