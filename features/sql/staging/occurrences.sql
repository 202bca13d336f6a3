-- one row per occurrence of a festival that began before :as_of
with numbered as (
    select
        festival,
        day,
        day - row_number() over (partition by festival order by day) as run
    from festival_days
)

select
    festival,
    cast(min(day) as int) as first_day,
    cast(max(day) as int) as last_day,
    cast(case when max(day) < :as_of then 1 else 0 end as int) as is_over
from numbered
group by festival, run
having min(day) < :as_of
