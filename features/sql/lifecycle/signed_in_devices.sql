-- one row per device on which somebody was signed in before :as_of
select device_id
from events
where device_id is not null
group by device_id
